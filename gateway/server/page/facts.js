// What is running: the version, its configuration and the latest reload, the ledger, the prices.
import { el, raw, show } from "./dom.js";
import { bytes, parts, said, t, time } from "./words.js";

/** Show it. */
export function showFacts(status) {
  const place = document.getElementById("facts");
  place.hidden = false;
  show(
    place,
    el("h2", {}, t("facts.title")),
    el(
      "dl",
      { class: "facts" },
      fact("facts.version", raw(status.version)),
      fact("facts.since", time(status.startedAt, status.now)),
      fact("facts.configuration", configuration(status.configuration)),
      fact("facts.reload", reload(status.configuration.lastReload, status.now)),
      status.configuration.needsRestart.length ? fact("facts.restart", names(status.configuration.needsRestart)) : null,
      fact("facts.ledger", ledger(status.ledger)),
      fact("facts.prices", prices(status.prices)),
    ),
  );
}

const fact = (key, ...value) => el("div", { "data-key": key }, el("dt", {}, t(key)), el("dd", {}, value));
const names = (all) => raw(all.join(", "), "code");

function configuration({ path, generation }) {
  return [path === null ? t("facts.no_file") : raw(path, "code"), ", ", parts("facts.generation", { n: generation })];
}

function reload(last, now) {
  if (last === null) return t("facts.reload.none");
  const values = { time: time(last.at, now), n: last.faultCount };
  const told = el("p", { class: last.result === "failed" ? "bad" : null }, parts(`facts.reload.${last.result}`, values));
  if (last.result === "success") {
    return last.changed.length ? [told, el("p", {}, parts("facts.changed", { settings: names(last.changed) }))] : told;
  }
  const left = last.faultCount - last.faults.length;
  return [told, el("ul", {}, last.faults.map(fault)), left > 0 ? el("p", {}, t("and_more", { n: left })) : null];
}

function fault({ setting, line, column, message }) {
  const place = [setting, line ? `${line}:${column}` : ""].filter(Boolean).join(" ");
  return el("li", {}, place ? [raw(place, "code"), " "] : null, said(message));
}

function ledger({ state, path, sizeBytes, problem, dropped }) {
  const told = [el("span", { class: state === "failing" ? "bad" : null }, t(`facts.ledger.${state}`))];
  if (path !== null) told.push(", ", raw(path, "code"));
  if (sizeBytes !== null) told.push(", ", bytes(sizeBytes));
  if (dropped) told.push(", ", el("span", { class: "bad" }, parts("facts.dropped", { n: dropped })));
  if (problem) told.push(el("p", {}, said(problem)));
  return told;
}

function prices({ date, old }) {
  if (date === null) return t("facts.prices.unread");
  return parts(old ? "facts.prices.old" : "facts.prices.date", { date: raw(date) });
}
