// The page: asks the gateway every two seconds while somebody looks, and shows what it says.
import { Refused, forgetKey, get, hasKey, keepKey, takeToken } from "./data.js";
import { Calls } from "./calls.js";
import { Charts } from "./charts.js";
import { Help } from "./help.js";
import { Logins } from "./login.js";
import { needTitle, showKeyForm, showLink, showNeeds, showPause, showState } from "./state.js";
import { showAccounts } from "./accounts.js";
import { showClients } from "./clients.js";
import { showFacts } from "./facts.js";
import { showModels } from "./models.js";
import { language, t, who } from "./words.js";

const EVERY_MS = 2000;
const AGAIN_MS = 5000; // after a failure

class Page {
  constructor() {
    this.status = null;
    this.seen = null; // when the gateway last answered, in wall seconds
    this.lost = null; // when it could first not be reached
    this.refused = null;
    this.paused = false;
    this.asking = false;
    this.timer = null;
    this.needs = null;
    this.calls = new Calls();
    this.charts = new Charts();
    this.help = new Help();
    this.logins = new Logins(announce);
  }

  /** Ask now, and again after a while. */
  async look() {
    clearTimeout(this.timer);
    if (this.asking || this.paused || document.hidden) return;
    this.asking = true;
    const wait = (await this.read()) ? EVERY_MS : AGAIN_MS;
    this.asking = false;
    this.show();
    this.timer = setTimeout(() => this.look(), wait);
  }

  async read() {
    try {
      this.status = await get("/gateway/status.json");
      this.logins.ahead = this.status.now - Date.now() / 1000;
      await Promise.all([this.calls.read(this.status), this.logins.look()]);
      this.seen = Date.now() / 1000;
      this.lost = this.refused = null;
      showKeyForm(false, false);
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  fail(error) {
    const refused = error instanceof Refused;
    if (refused && error.status === 401) {
      showKeyForm(true, hasKey());
      forgetKey();
    }
    this.refused = refused ? error : null;
    if (!refused) this.lost ??= Date.now() / 1000;
  }

  show() {
    const { status, lost } = this;
    showState(status, lost, this.refused);
    showLink(status, lost, this.seen, this.paused);
    document.body.classList.toggle("stale", lost !== null || this.refused !== null);
    if (status === null) return;
    document.getElementById("data").hidden = false;
    showNeeds(status);
    this.help.show(status);
    showModels(status);
    showAccounts(status);
    showClients(status);
    this.charts.show(status);
    this.calls.show(status.now);
    showFacts(status);
    this.tellNeeds(status);
  }

  // Only what is new is read out, and not what stood there when the page was opened.
  tellNeeds({ needs }) {
    const now = new Map(needs.map((need) => [`${need.kind} ${who(need)}`, need]));
    const fresh = this.needs && [...now].find(([key]) => !this.needs.has(key));
    if (fresh) announce(t("need.new", { what: needTitle(fresh[1]) }));
    this.needs = now;
  }

  pause() {
    this.paused = !this.paused;
    showPause(this.paused);
    this.show();
    this.look();
  }
}

function announce(text) {
  document.getElementById("announce").textContent = text;
}

async function copy(target) {
  try {
    await navigator.clipboard.writeText(target.dataset.text);
    announce(t("copy.done"));
    const before = target.textContent;
    target.textContent = t("copy.done");
    setTimeout(() => { target.textContent = before; }, EVERY_MS);
  } catch {
    announce(t("copy.failed"));
  }
}

const account = ({ dataset }) => ({ provider: dataset.provider, account: dataset.account });

function actions(page) {
  const { help, logins } = page;
  return {
    pause: () => page.pause(),
    copy,
    tab: (target) => help.choose(target.dataset.tab),
    test: async () => { await help.send(); page.look(); },
    "log-in": async (target) => { await logins.begin(account(target)); page.look(); },
    "log-out": async (target) => {
      if (confirm(t("login.out.sure"))) await logins.logOut(account(target));
      page.look();
    },
    "cancel-login": async (target) => { await logins.cancel(account(target)); page.look(); },
    "close-login": (target) => logins.close(account(target)),
  };
}

function listen(page) {
  const known = actions(page);
  document.addEventListener("click", ({ target }) => {
    const pressed = target.closest("[data-action]");
    known[pressed?.dataset.action]?.(pressed);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("[role=tab]") && page.help.step(event.key)) event.preventDefault();
  });
  document.getElementById("key").addEventListener("submit", (event) => {
    event.preventDefault();
    keepKey(document.getElementById("key-text").value.trim());
    page.look();
  });
  document.getElementById("calls").addEventListener("input", () => page.calls.show(page.status.now));
  document.addEventListener("toggle", () => page.show(), true);
  document.addEventListener("visibilitychange", () => page.look());
  window.addEventListener("hashchange", takeToken);
}

// The words that stand in page.html, and the link to the other language.
function dress() {
  document.documentElement.lang = language;
  for (const each of document.querySelectorAll("[data-words]")) each.textContent = t(each.dataset.words);
  const other = language === "ko" ? "en" : "ko";
  const link = document.getElementById("language");
  link.textContent = t("page.other_language");
  for (const [name, value] of Object.entries({ href: `?lang=${other}`, lang: other, hreflang: other })) link.setAttribute(name, value);
}

takeToken();
dress();
const page = new Page();
page.show();
listen(page);
page.look();
