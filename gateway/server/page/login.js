// Logins from the page: a card for each, with its code while it is under way and with its end afterwards.
import { button, el, raw, safeAddress, show } from "./dom.js";
import { Refused, get, post } from "./data.js";
import { commandLine, copyButton, owner } from "./remedies.js";
import { duration, parts, said, t, who } from "./words.js";

const LOGIN_MS = 30_000; // the gateway asks the provider's server for a code meanwhile

/** The logins of this tab.
 *
 * announce: reads a text out. */
export class Logins {
  constructor(announce) {
    this.announce = announce;
    this.ahead = 0; // seconds by which the gateway's clock is ahead of the reader's
    this.cards = new Map(); // by whose they are; each {account, login?, notice?, starting?}
  }

  /** Start a login, or show the code of the one under way. */
  async begin(account) {
    this.put(account, { starting: true });
    try {
      this.settle(account, await post("/gateway/login", asked(account), LOGIN_MS));
    } catch (error) {
      this.put(account, { notice: () => fault(error) });
    }
    document.getElementById(cardId(account))?.focus();
  }

  /** Ask how those under way go. */
  async look() {
    const pending = [...this.cards.values()].filter(({ login }) => login?.state === "pending");
    await Promise.all(pending.map((card) => this.lookAt(card)));
  }

  async lookAt({ account, login }) {
    try {
      this.settle(account, await get(`/gateway/login/${encodeURIComponent(login.id)}`));
    } catch (error) {
      if (error instanceof Refused) this.put(account, { notice: () => fault(error) });
    }
  }

  async cancel(account) {
    const { login } = this.cards.get(who(account)) ?? {};
    if (!login) return;
    try {
      this.settle(account, await post(`/gateway/login/${encodeURIComponent(login.id)}/cancel`, {}));
    } catch (error) {
      this.put(account, { notice: () => fault(error) });
    }
  }

  // What is new is read out: the code, and how the login has ended.
  settle(account, login) {
    const before = this.cards.get(who(account))?.login;
    this.put(account, { login });
    if (login.state !== "pending") this.announce(t(`login.${login.state}`, { who: who(account) }));
    else if (login.userCode && login.userCode !== before?.userCode) {
      this.announce(t("login.said", { who: who(account), code: login.userCode }));
    }
  }

  async logOut(account) {
    try {
      const { message } = await post("/gateway/logout", asked(account), LOGIN_MS);
      this.put(account, { notice: () => [t("logout.done", { who: who(account) }), " ", said(message)] });
    } catch (error) {
      this.put(account, { notice: () => fault(error) });
    }
    document.getElementById(cardId(account))?.focus();
  }

  close(account) {
    this.cards.delete(who(account));
    this.show();
  }

  put(account, card) {
    this.cards.set(who(account), { account, ...card });
    this.show();
  }

  show() {
    const place = document.getElementById("logins");
    place.hidden = !this.cards.size;
    const now = Date.now() / 1000 + this.ahead;
    show(place, [...this.cards.values()].map((card) => cardOf(card, now)));
  }
}

const asked = ({ provider, account }) => (account ? { provider, account } : { provider });
const cardId = (account) => `login ${who(account)}`.replaceAll(" ", "-");

// What to do where the gateway did not do it: 401 and 403 are about the right to act.
function fault(error) {
  if (!(error instanceof Refused)) return parts("act.failed", { message: said(error.message) });
  if (error.status === 401) return commandLine(t("act.token"), "python app.py open");
  return error.status === 403 ? t("act.key") : parts("act.failed", { message: said(error.message) });
}

const cancelButton = (account) => button("cancel-login", t("login.cancel"), { ...owner(account), class: "quiet" });

function cardOf({ account, login, notice, starting }, now) {
  const inside = starting ? el("p", {}, t("login.starting", { who: who(account) })) : notice ? el("div", {}, notice()) : body(login, account, now);
  return el(
    "section",
    { class: "panel login", "data-key": who(account), "aria-labelledby": cardId(account) },
    el("h2", { id: cardId(account), tabindex: "-1" }, t("login.title", { who: who(account) })),
    inside,
    login?.state === "pending" || starting ? null : button("close-login", t("login.close"), { ...owner(account), class: "quiet" }),
  );
}

function ended({ state, message, command }, account) {
  const words = el("p", { class: state === "done" ? "good" : "bad" }, t(`login.${state}`, { who: who(account) }));
  return [
    words,
    message ? el("p", {}, said(message)) : null,
    command ? commandLine(t("login.by_command", { who: who(account) }), command) : null,
  ];
}

function body(login, account, now) {
  if (login.state !== "pending") return ended(login, account);
  if (!login.userCode) return [el("p", {}, t("login.starting", { who: who(account) })), cancelButton(account)];
  const address = safeAddress(login.verificationUriComplete ?? login.verificationUri);
  const plain = safeAddress(login.verificationUri);
  return [
    el("p", {}, t("login.confirm")),
    el("p", { class: "code" }, raw(login.userCode, "output", { "aria-label": t("login.code") }), copyButton(login.userCode)),
    plain ? el("p", {}, parts("login.where", { url: raw(plain, "span", { class: "address" }) })) : null,
    el("p", {}, t("login.left", { duration: duration(login.expiresAt - now) })),
    el(
      "p",
      { class: "buttons" },
      address ? el("a", { class: "button primary", href: address, target: "_blank", rel: "noopener noreferrer" }, t("login.open")) : null,
      cancelButton(account),
    ),
  ];
}
