// What helps: a command to copy, or a button that logs in.
import { button, el, raw } from "./dom.js";
import { t, who } from "./words.js";

/** A line of code with a button that copies it. */
export function commandLine(before, text) {
  return el("p", { class: "command" }, before ? el("span", {}, before) : null, raw(text, "code"), copyButton(text));
}

/** A button that copies a text. */
export function copyButton(text, words = t("copy")) {
  const name = text.includes("\n") ? words : `${words}: ${text}`;
  return button("copy", words, { class: "quiet", "data-text": text, "aria-label": name });
}

/** The button of a login, or the one that shows the code of a login under way. */
export function logInButton(account, underWay, look) {
  const words = underWay ? "login.show" : "login.do";
  const name = t(underWay ? "login.show.who" : "login.who", { who: who(account) });
  return button("log-in", t(words), { ...owner(account), "aria-label": name, class: look });
}

/** Whose a button is. */
export const owner = ({ provider, account }) => ({ "data-provider": provider, "data-account": account });
