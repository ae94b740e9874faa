// The models, and for each its targets in the order in which they would be asked now.
import { cell, el, raw, row, show, table } from "./dom.js";
import { duration, milliseconds, number, parts, t, time, who } from "./words.js";

/** Show them. */
export function showModels(status) {
  const columns = [
    { text: t("models.name") },
    { text: t("models.order"), number: true },
    { text: t("models.target") },
    { text: t("models.now") },
    { text: t("models.first"), number: true },
  ];
  const left = status.modelCount - status.models.length;
  show(
    document.getElementById("models"),
    el("h2", { id: "models-title" }, t("models.title")),
    status.models.length
      ? table(t("models.caption"), columns, status.models.map((model) => targets(model, columns, status.now)))
      : el("p", {}, t("models.empty")),
    left > 0 ? el("p", {}, t("and_more", { n: left })) : null,
  );
}

function targets(model, columns, now) {
  const left = model.targetCount - model.targets.length;
  const rows = model.targets.map((target, place) => {
    const cells = [
      cell(columns[1], number(place + 1)),
      cell(columns[2], raw(`${who(target)}/${target.model}`)),
      cell(columns[3], turn(target, now)),
      cell(columns[4], firstContent(target)),
    ];
    const head = place === 0 ? name(model, model.targets.length + (left > 0 ? 1 : 0)) : null;
    return row(`${who(target)}/${target.model} ${target.place}`, head, cells);
  });
  if (left > 0) rows.push(row("more", el("td", { role: "cell", colspan: "4" }, t("and_more", { n: left }))));
  return el("tbody", { role: "rowgroup", "data-key": model.name }, rows);
}

function name(model, rows) {
  const notes = [model.pattern && t("models.pattern"), model.whenLimited === "wait" && t("models.wait")].filter(Boolean);
  return el(
    "th",
    { scope: "rowgroup", role: "rowheader", rowspan: String(rows) },
    raw(model.name),
    notes.length ? el("small", {}, notes.join(", ")) : null,
  );
}

function turn(target, now) {
  const words = [el("span", { class: `turn ${target.turn === "first" ? "first" : ""}` }, t(`turn.${target.turn}`))];
  if (target.why) {
    const why = target.why === "failures" ? parts("why.failures", { n: target.failures }) : t(`why.${target.why}`);
    words.push(el("small", { class: "warn" }, why));
  }
  if (target.restingUntilAt !== null) {
    const until = { time: time(target.restingUntilAt, now), duration: duration(target.restingUntilAt - now) };
    words.push(el("small", {}, parts("until", until)));
  }
  return words;
}

function firstContent({ firstP50Ms, firstP95Ms, samples }) {
  if (firstP50Ms === null) return el("small", {}, t("models.no_samples"));
  const values = { p50: milliseconds(firstP50Ms), p95: milliseconds(firstP95Ms) };
  return [el("span", {}, parts("models.first.values", values)), el("small", {}, parts("models.samples", { n: samples }))];
}

