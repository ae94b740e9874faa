// First-run help: how a client is connected, and a test call. It is open until the first call, and can be opened again.
import { button, el, raw, show } from "./dom.js";
import { Refused, post } from "./data.js";
import { commandLine, copyButton } from "./remedies.js";
import { snippets, withoutVersion } from "./snippets.js";
import { duration, parts, said, t } from "./words.js";

const TOKENS = 8; // of the answer to a test call; the words say so
const LONGEST_MS = 120_000;
const SHOWN = 200; // characters of the answer

/** The help of this page. */
export class Help {
  constructor() {
    this.place = document.getElementById("help");
    this.tab = "curl";
    this.result = null;
    this.testing = false;
  }

  show(status) {
    this.status = status;
    if (this.place.hidden) this.place.open = status.firstRun;
    this.place.hidden = false;
    const base = status.baseUrl;
    const names = modelNames(status);
    show(
      this.place,
      el("summary", {}, el("h2", {}, t("help.title"))),
      status.firstRun ? el("p", {}, t("help.first")) : null,
      el(
        "dl",
        { class: "facts" },
        fact("help.address", commandLine(null, base)),
        fact("help.address.claude", commandLine(null, withoutVersion(base))),
        fact("help.key", t(status.keyNeeded ? "help.key.yours" : "help.key.any")),
        fact("help.models", el("ul", { class: "names" }, status.models.map(({ name }) => el("li", {}, raw(name, "code"))))),
      ),
      names.length ? [this.tabs(snippets(base, names[0], status.keyNeeded)), this.test(names)] : null,
    );
  }

  tabs(all) {
    const tabs = all.map(({ id, name }) => {
      const chosen = id === this.tab;
      const state = { id: `tab-${id}`, "aria-selected": String(chosen), "aria-controls": `panel-${id}`, tabindex: chosen ? "0" : "-1" };
      return button("tab", name, { role: "tab", "data-tab": id, translate: "no", ...state });
    });
    const panels = all.map(({ id, above, code }) =>
      el(
        "div",
        { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, hidden: id !== this.tab },
        el("p", { class: "command" }, el("span", {}, t(above)), copyButton(code)),
        el("pre", { tabindex: "0", translate: "no", "aria-labelledby": `tab-${id}` }, el("code", {}, code)),
      ),
    );
    return el("div", { class: "tabs" }, el("div", { role: "tablist", "aria-label": t("help.clients") }, tabs), panels);
  }

  /** Choose a tab, by a click or by its neighbour's arrow key. */
  choose(id) {
    this.tab = id;
    this.show(this.status);
    document.getElementById(`tab-${id}`).focus();
  }

  step(key) {
    const ids = [...this.place.querySelectorAll("[role=tab]")].map((each) => each.dataset.tab);
    const place = ids.indexOf(this.tab);
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: ids.length - 1 }[key];
    if (next === undefined) return false;
    this.choose(ids.at(next % ids.length));
    return true;
  }

  test(names) {
    return el(
      "div",
      { class: "test" },
      el("label", { for: "test-model" }, t("help.test.model")),
      el("select", { id: "test-model", translate: "no" }, names.map((name) => el("option", { value: name, "data-key": name }, name))),
      button("test", t("help.test"), { class: "primary", "aria-disabled": this.testing ? "true" : null, "aria-describedby": "test-cost" }),
      el("small", { id: "test-cost" }, t("help.test.cost")),
      el("p", { role: "status", id: "test-result" }, this.result?.()),
    );
  }

  /** Send a test call to the model that is chosen. */
  async send() {
    if (this.testing) return;
    const model = document.getElementById("test-model").value;
    this.tell(true, () => t("help.test.running"));
    this.tell(false, await outcome(model));
  }

  tell(testing, result) {
    this.testing = testing;
    this.result = result;
    this.show(this.status);
  }
}

// Sends it; a function that makes the words of how it ended.
async function outcome(model) {
  const body = { model, max_tokens: TOKENS, messages: [{ role: "user", content: "Say hello." }] };
  const began = performance.now();
  try {
    const answer = await post("/v1/chat/completions", body, LONGEST_MS);
    const took = duration((performance.now() - began) / 1000);
    const text = answer.choices?.[0]?.message?.content?.slice(0, SHOWN);
    const key = text ? "help.test.done" : "help.test.empty";
    return () => parts(key, { model: raw(model), duration: took, text: raw(text ?? "", "q") });
  } catch (error) {
    const message = error instanceof Refused ? error.message : String(error);
    return () => parts("help.test.failed", { model: raw(model), message: said(message) });
  }
}

const fact = (key, value) => el("div", { "data-key": key }, el("dt", {}, t(key)), el("dd", {}, value));

// Names that can be asked for: a pattern is none, but its first target is.
function modelNames({ models }) {
  const named = models.filter(({ pattern }) => !pattern).map(({ name }) => name);
  if (named.length) return named;
  const targets = models.flatMap((model) => model.targets.slice(0, 1));
  return targets.filter(({ model }) => !model.includes("*")).map(({ provider, model }) => `${provider}/${model}`);
}
