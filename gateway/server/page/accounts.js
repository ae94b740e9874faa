// The accounts: what each authenticates with, whether that works, and what is left of its limits.
import { button, cell, el, raw, row, show, table } from "./dom.js";
import { limitUsed, meter } from "./meters.js";
import { logInButton, owner } from "./remedies.js";
import { duration, number, parts, said, t, time, who, wordFor } from "./words.js";

const GOOD = ["ready", "unknown", "renewable"];

/** Show them. */
export function showAccounts(status) {
  const columns = ["name", "state", "limits", "remaining", "actions"].map((each) => ({ text: t(`accounts.${each}`) }));
  const left = status.accountCount - status.accounts.length;
  const rows = status.accounts.map((account) => one(account, columns, status.now));
  show(
    document.getElementById("accounts"),
    el("h2", { id: "accounts-title" }, t("accounts.title")),
    rows.length
      ? table(t("accounts.caption"), columns, el("tbody", { role: "rowgroup" }, rows))
      : el("p", {}, t("accounts.empty")),
    left > 0 ? el("p", {}, t("and_more", { n: left })) : null,
  );
}

function one(account, columns, now) {
  return row(
    who(account),
    el("th", { scope: "row", role: "rowheader" }, raw(who(account)), el("small", {}, t(`kind.${account.kind}`))),
    cell(columns[1], credential(account, now)),
    cell(columns[2], account.limits.map((limit) => limitUsed(limit, who(account)))),
    cell(columns[3], account.remaining.map((left) => theirs(left, account, now))),
    cell(columns[4], actions(account)),
  );
}

function credential(account, now) {
  const words = [el("span", { class: GOOD.includes(account.state) ? "good" : "bad" }, t(`credential.${account.state}`))];
  if (account.expiresAt !== null) {
    const key = account.expiresAt > now ? "credential.expires" : "credential.expired";
    words.push(el("small", {}, parts(key, { time: time(account.expiresAt, now) })));
  }
  if (account.loginUntilAt !== null) {
    words.push(el("small", {}, parts("credential.under_way", { time: time(account.loginUntilAt, now) })));
  }
  if (account.problem) words.push(el("small", {}, said(account.problem)));
  return words;
}

function theirs(left, account, now) {
  const kind = wordFor("remaining", left.kind);
  const words = [el("span", {}, kind, " ", amount(left))];
  const resets = left.resetAt !== null && left.resetAt > now;
  const more = [left.model ? raw(left.model) : null, resets ? parts("remaining.reset", { time: time(left.resetAt, now) }) : null];
  const told = more.filter((each) => each !== null);
  if (told.length) words.push(el("small", {}, told.map((each, place) => [place ? " · " : "", each])));
  const measured = left.remaining !== null && left.limit !== null;
  const label = `${who(account)} ${left.model}, ${kind.textContent ?? kind}`;
  const bar = measured ? meter(left.remaining, left.limit, label, { low: 0.2, optimum: 1 }) : null;
  return el("div", { class: "quota", "data-key": `${left.model} ${left.kind}` }, bar, words);
}

function amount({ remaining, limit }) {
  if (limit === null) return remaining === null ? t("not_known") : number(remaining);
  if (remaining === null) return parts("remaining.unknown", { limit: number(limit) });
  return parts("remaining.value", { remaining: number(remaining), limit: number(limit) });
}

function actions(account) {
  const underWay = account.loginUntilAt !== null;
  const settled = GOOD.includes(account.state) && account.canLogOut;
  const shown = account.canLogIn && (underWay || !settled) ? [logInButton(account, underWay)] : [];
  if (account.canLogOut) {
    const name = t("login.out.who", { who: who(account) });
    shown.push(button("log-out", t("login.out"), { ...owner(account), "aria-label": name, class: "quiet" }));
  }
  if (!account.canLogIn && account.command) shown.push(raw(account.command, "code"));
  return shown;
}
