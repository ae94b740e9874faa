// The latest calls, and which of them are shown.
import { cell, el, figure, raw, row, show, table } from "./dom.js";
import { get } from "./data.js";
import { dollars, milliseconds, parts, t, time, who } from "./words.js";

const MOST = 50;
const COLUMNS = ["time", "asked", "answered", "status", "tries", "queue", "first", "total", "tokens", "cost"];
const NUMBERS = ["queue", "first", "total", "cost"];

/** The calls that this page has read. */
export class Calls {
  constructor() {
    this.startedAt = null;
    this.calls = null;
    this.last = 0;
    this.frame();
  }

  /** Read what is new. After a restart the ids begin again, and so does this. */
  async read(status) {
    const again = status.startedAt !== this.startedAt;
    if (!again && status.lastCall === this.last) return;
    const answer = await get(`/gateway/calls.json?after=${again ? 0 : this.last}&limit=${MOST}`);
    const kept = answer.startedAt === this.startedAt ? this.calls : [];
    this.calls = [...answer.calls, ...kept].slice(0, MOST);
    this.startedAt = answer.startedAt;
    this.last = answer.lastCall;
  }

  // The filter stands outside what is changed, so that nothing takes the focus of who writes in it.
  frame() {
    show(
      document.getElementById("calls"),
      el(
        "div",
        { class: "head" },
        el("h2", { id: "calls-title" }, t("calls.title")),
        el("div", { class: "filter" },
          el("label", { for: "calls-text" }, t("calls.filter")),
          el("input", { id: "calls-text", type: "search", autocomplete: "off", spellcheck: "false" }),
          el("label", { class: "check" }, el("input", { id: "calls-failed", type: "checkbox" }), t("calls.failed_only")),
        ),
      ),
      el("div", { id: "calls-list" }),
    );
  }

  show(now) {
    if (this.calls === null) return;
    const shown = this.calls.filter(wanted());
    const columns = COLUMNS.map((name) => ({ text: t(`calls.${name}`), number: NUMBERS.includes(name) }));
    const rows = shown.map((call) => one(call, columns, now));
    const empty = t(this.calls.length ? "calls.none_match" : "calls.none");
    show(
      document.getElementById("calls-list"),
      this.calls.length ? el("p", { class: "count" }, parts("calls.shown", { shown: shown.length, all: this.calls.length })) : null,
      rows.length ? table(t("calls.caption"), columns, el("tbody", { role: "rowgroup" }, rows)) : el("p", {}, empty),
    );
  }
}

// Whether a call passes the filter, whose words may stand anywhere in it.
function wanted() {
  const words = document.getElementById("calls-text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const failed = document.getElementById("calls-failed").checked;
  return (call) => {
    if (failed && call.outcome === "answered") return false;
    const text = [
      call.asked, call.alias, call.endpoint, answeredBy(call), call.status, call.error, call.outcome, call.client,
      ...call.tries.map(tryText),
    ].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

const answeredBy = (call) => (call.provider ? `${who(call)}/${call.model}` : "");
const tryText = (each) => `${who(each)}/${each.model} ${each.outcome}`;

function one(call, columns, now) {
  const place = Object.fromEntries(COLUMNS.map((name, index) => [name, columns[index]]));
  return row(
    String(call.id),
    el("th", { scope: "row", role: "rowheader" }, time(call.at, now)),
    cell(place.asked, asked(call)),
    cell(place.answered, call.provider ? raw(answeredBy(call)) : el("small", {}, t("calls.no_one"))),
    cell(place.status, status(call)),
    cell(place.tries, tries(call)),
    cell(place.queue, milliseconds(call.queueMs)),
    cell(place.first, milliseconds(call.firstMs)),
    cell(place.total, milliseconds(call.totalMs)),
    cell(place.tokens, tokens(call)),
    cell(place.cost, price(call)),
  );
}

function asked({ asked: name, endpoint, streamed, client }) {
  const how = [raw(endpoint), streamed ? `, ${t("calls.streamed")}` : "", client ? [", ", raw(client)] : null];
  return [name ? raw(name) : el("small", {}, t("calls.unnamed")), el("small", {}, how)];
}

function status({ status: code, outcome, error }) {
  const mark = { answered: "good", failed: "bad", refused: "warn", cancelled: "" }[outcome];
  const shown = [figure(code, String(code)), " ", el("span", { class: mark }, t(`outcome.${outcome}`))];
  return error ? [shown, el("small", {}, raw(error))] : shown;
}

function tries({ tries: all, tryCount }) {
  const told = all.map((each, place) => [place ? " → " : "", raw(tryText(each), "span", { class: "try" })]);
  const left = tryCount - all.length;
  return left > 0 ? [told, " ", t("and_more", { n: left })] : told;
}

function tokens(call) {
  if (call.input === null && call.output === null) return el("small", {}, t("not_known"));
  const listed = (names) => names.map((each, place) => [place ? ", " : "", parts(`calls.${each}`, { n: call[each] })]);
  const within = ["cached", "reasoning"].filter((each) => call[each]); // parts of the two
  const told = el("span", {}, listed(["input", "output"].filter((each) => call[each] !== null)));
  return within.length ? [told, el("small", {}, listed(within))] : told;
}

function price({ costUsd, costSource }) {
  if (costSource === null) return "–";
  if (costUsd === null) return t("cost.unknown");
  return [figure(costUsd, dollars(costUsd)), el("small", {}, raw(costSource))];
}
