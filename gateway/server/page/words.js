// The language of the page, and how numbers, times and durations are written in it.
import { el, figure, raw } from "./dom.js";

// Only the words of one language are read.
const WORDS = { en: () => import("./words_en.js"), ko: () => import("./words_ko.js") };

export const language = chosen();
const { words } = await WORDS[language]();
const plural = new Intl.PluralRules(language);
const whole = new Intl.NumberFormat(language);
const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const minute = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayAndTime = new Intl.DateTimeFormat(language, {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const dayOnly = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });

function chosen() {
  const asked = new URLSearchParams(location.search).get("lang");
  const wanted = [asked, ...navigator.languages].filter(Boolean).map((each) => each.toLowerCase().split("-")[0]);
  return wanted.find((each) => Object.hasOwn(WORDS, each)) ?? "en";
}

/** The words of a key as a text. */
export function t(key, values = {}) {
  return template(key, values.n).replace(/\{(\w+)\}/g, (_, name) => shownNumber(values[name]));
}

/** The words of a key as nodes, where a value is an element. */
export function parts(key, values = {}) {
  return template(key, Number(values.n?.value ?? values.n))
    .split(/(\{\w+\})/)
    .map((part) => (/^\{\w+\}$/.test(part) ? wrapped(values[part.slice(1, -1)]) : part));
}

function template(key, n) {
  const found = words[key];
  return typeof found === "string" ? found : found[plural.select(n ?? 0)] ?? found.other;
}

const shownNumber = (value) => (typeof value === "number" ? whole.format(value) : value);
const wrapped = (value) => (typeof value === "number" ? figure(value, whole.format(value)) : value);

/** Whether there are words for a key. */
export const known = (key) => Object.hasOwn(words, key);

/** The words of a key that ends in what the gateway has said, or that itself where it is new to us. */
export const wordFor = (prefix, code) => (known(`${prefix}.${code}`) ? t(`${prefix}.${code}`) : raw(code));

/** A sentence of the gateway, which speaks English. */
export const said = (text) => el("span", { lang: "en", translate: "no" }, text);

/** The name of an account. */
export const who = ({ provider, account }) => (account ? `${provider}@${account}` : provider);

export const number = (value) => figure(value, whole.format(value));
export const shortly = (value) => short.format(value);

/** A time of day, with its day where that is not today. `at` and `now` are wall seconds. */
export function time(at, now = Date.now() / 1000) {
  const then = new Date(at * 1000);
  const today = then.toDateString() === new Date(now * 1000).toDateString();
  return el("time", { datetime: then.toISOString(), translate: "no" }, (today ? clock : dayAndTime).format(then));
}

export const minuteOf = (at) => minute.format(new Date(at * 1000));
export const dayOf = (at) => dayOnly.format(new Date(at * 1000));

const unit = (value, name, digits = 0) =>
  new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "narrow", maximumFractionDigits: digits }).format(value);

/** A duration in two units at most. */
export function duration(seconds) {
  const rest = Math.max(0, Math.round(seconds));
  if (rest < 60) return unit(rest, "second");
  const [big, small, size] = rest < 3600 ? ["minute", "second", 60] : rest < 86400 ? ["hour", "minute", 3600] : ["day", "hour", 86400];
  const left = Math.floor((rest % size) / (size === 60 ? 1 : size === 3600 ? 60 : 3600));
  return [unit(Math.floor(rest / size), big), left ? unit(left, small) : ""].filter(Boolean).join(" ");
}

/** Milliseconds as they are read best; the exact value stays beside it. */
export function milliseconds(value) {
  if (value === null) return "–";
  return figure(value, plainMilliseconds(value));
}

export function plainMilliseconds(value) {
  return value < 1000 ? unit(value, "millisecond") : unit(value / 1000, "second", value < 10000 ? 2 : 1);
}

/** Dollars: two digits, and for less than a cent the first two that say something. */
export function dollars(value) {
  const digits = value === 0 || Math.abs(value) >= 0.01 ? 2 : Math.min(6, 1 - Math.floor(Math.log10(Math.abs(value))));
  const format = { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", minimumFractionDigits: 2, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, format).format(value);
}

/** What days have cost, or that it is not known. A sum with unpriced calls in it is the least it can be. */
export function cost(value, unpriced) {
  if (value === null) return t("cost.unknown");
  const exact = figure(value, dollars(value));
  return unpriced ? [...parts("cost.at_least", { cost: exact }), " (", ...parts("cost.unpriced", { n: unpriced }), ")"] : exact;
}

export function bytes(value) {
  const mega = value >= 1e6;
  return figure(value, unit(value / (mega ? 1e6 : 1e3), mega ? "megabyte" : "kilobyte", mega ? 1 : 0));
}
