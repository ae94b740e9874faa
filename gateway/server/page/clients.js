// Clients with keys of their own: what they have used of their limits and budgets.
import { cell, el, figure, raw, row, show, table } from "./dom.js";
import { limitUsed, meter } from "./meters.js";
import { dollars, parts, t, time } from "./words.js";

/** Show them; nothing where no client has a limit or a budget. */
export function showClients(status) {
  const section = document.getElementById("clients");
  section.hidden = status.clients.length === 0;
  const columns = ["name", "limits", "budget"].map((each) => ({ text: t(`clients.${each}`) }));
  const left = status.clientCount - status.clients.length;
  const rows = status.clients.map((client) => one(client, columns, status.now));
  show(
    section,
    el("h2", { id: "clients-title" }, t("clients.title")),
    table(t("clients.caption"), columns, el("tbody", { role: "rowgroup" }, rows)),
    left > 0 ? el("p", {}, t("and_more", { n: left })) : null,
  );
}

function one(client, columns, now) {
  return row(
    client.name,
    el("th", { scope: "row", role: "rowheader" }, raw(client.name)),
    cell(columns[1], client.limits.map((limit) => limitUsed(limit, client.name))),
    cell(columns[2], client.budget ? budget(client, now) : t("clients.no_budget")),
  );
}

function budget({ name, budget: { per, limitUsd, spentUsd, reservedUsd, endsAt } }, now) {
  const money = (value) => figure(value, dollars(value));
  const more = [];
  if (reservedUsd > 0) more.push(...parts("clients.reserved", { cost: money(reservedUsd) }));
  if (endsAt !== null) more.push(more.length ? " · " : "", ...parts("clients.ends", { time: time(endsAt, now) }));
  return el(
    "div",
    { class: "quota" },
    meter(spentUsd + reservedUsd, limitUsd, `${name}, ${t("clients.budget")}`, { high: 0.8, optimum: 0 }),
    el("span", {}, parts(`clients.per.${per}`, { spent: money(spentUsd), limit: money(limitUsd) })),
    more.length ? el("small", {}, more) : null,
  );
}
