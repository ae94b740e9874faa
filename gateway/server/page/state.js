// The first thing that is read: one sentence of what is going on, and below it what needs a person, with its remedy.
import { button, el, raw, show } from "./dom.js";
import { parts, said, t, time, who } from "./words.js";
import { commandLine, copyButton, logInButton } from "./remedies.js";

/** The sentence. `lost`: when the gateway could first not be reached, in wall seconds; null while it answers.
 * `refused`: its answer that refuses the page; null while there is none. */
export function showState(status, lost, refused) {
  const place = document.getElementById("state");
  place.dataset.state = stateOf(status, lost, refused);
  if (refused?.status === 401) return show(place, t("key.title"));
  if (refused) return show(place, parts("state.refused", { message: said(refused.message) }));
  if (lost !== null) return show(place, parts("state.unreachable", { time: time(lost) }));
  if (status === null) return show(place, t("page.loading"));
  if (status.state === "draining") return show(place, t("state.draining"), detail(running(status)));
  const url = raw(status.baseUrl, "span", { class: "address" });
  show(place, parts("state.serving", { n: status.modelCount, url }), detail(running(status), " ", needs(status)));
}

const detail = (...words) => [" ", el("span", { class: "detail" }, words)];

function stateOf(status, lost, refused) {
  if (refused?.status === 401) return "needs";
  if (refused || lost !== null) return "lost";
  if (status === null) return "loading";
  return status.needCount || status.state === "draining" ? "needs" : "fine";
}

function running({ runningCalls, waitingCalls }) {
  if (!runningCalls && !waitingCalls) return t("state.idle");
  const told = [runningCalls ? parts("state.running", { n: runningCalls }) : t("state.idle")];
  if (waitingCalls) told.push(" ", parts("state.waiting", { n: waitingCalls }));
  return told;
}

const needs = ({ needCount }) => (needCount ? parts("state.needs", { n: needCount }) : t("state.nothing"));

/** Below the sentence: the address to copy; while nothing answers, since when what stands below is old; the pause. */
export function showLink(status, lost, seen, paused) {
  const lines = [];
  if (lost !== null) {
    const told = seen === null ? t("state.unreachable.never") : parts("state.unreachable.next", { time: time(seen) });
    lines.push(el("p", {}, told), commandLine(t("state.unreachable.start"), "python app.py"));
  }
  if (paused) lines.push(el("p", {}, t("page.paused")));
  if (status && lost === null && !status.firstRun) lines.push(copyButton(status.baseUrl, t("page.copy_address")));
  show(document.getElementById("link"), lines);
}

/** What needs a person, the most urgent first. */
export function showNeeds(status) {
  const place = document.getElementById("needs");
  place.hidden = !status?.needs.length;
  if (place.hidden) return;
  const left = status.needCount - status.needs.length;
  show(
    place,
    el("h2", { id: "needs-title" }, t("needs.title")),
    el("ul", { class: "needs" }, status.needs.map((need) => item(need, status))),
    left > 0 ? el("p", {}, t("and_more", { n: left })) : null,
  );
}

/** A need in a few words. */
export const needTitle = (need) => t(`need.${need.kind}`, { who: who(need) });

function item(need, status) {
  const key = `${need.kind} ${who(need)}`;
  const until = need.untilAt === null ? null : [" ", parts("need.until", { time: time(need.untilAt, status.now) })];
  return el(
    "li",
    { "data-key": key },
    el("div", {}, el("strong", {}, needTitle(need)), el("p", {}, said(need.message), until)),
    remedy(need, status),
  );
}

function remedy(need, status) {
  if (need.canLogIn) return logInButton(need, underWay(need, status), "primary");
  return need.command ? commandLine(null, need.command) : null;
}

function underWay(need, { accounts }) {
  const found = accounts.find((each) => each.provider === need.provider && each.account === need.account);
  return found !== undefined && found.loginUntilAt !== null;
}

/** The button that stops and resumes. */
export function showPause(paused) {
  const place = document.getElementById("pause");
  place.textContent = t(paused ? "page.resume" : "page.pause");
  place.setAttribute("aria-pressed", String(paused));
}

/** Asks for a key. `wrong`: the one that was given is none. */
export function showKeyForm(wanted, wrong) {
  const form = document.getElementById("key");
  if (form.hidden === !wanted && form.dataset.wrong === String(wrong)) return;
  form.dataset.wrong = String(wrong);
  form.hidden = !wanted;
  if (!wanted) return show(form);
  show(
    form,
    el("p", { id: "key-why" }, t("key.why")),
    wrong ? el("p", { class: "bad", role: "alert" }, t("key.wrong")) : null,
    el("label", { for: "key-text" }, t("key.label")),
    el("input", { id: "key-text", type: "password", required: true, autocomplete: "off", spellcheck: "false", "aria-describedby": "key-why" }),
    button("use-key", t("key.send"), { type: "submit", class: "primary" }),
  );
}
