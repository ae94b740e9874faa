// What is used of a limit: a bar, and the same in words.
import { el, raw } from "./dom.js";
import { duration, number, parts, t } from "./words.js";

/** A bar of `value` in `most`. The shares at which a reader has to look are of `most`. */
export function meter(value, most, label, { low = 0, high = 1, optimum }) {
  const at = (share) => String(share * most);
  return el("meter", {
    min: "0", max: String(most), value: String(Math.min(value, most)), low: at(low), high: at(high), optimum: at(optimum), "aria-label": label,
  });
}

/** One number of a row of limits, of `owner`. */
export function limitUsed(limit, owner) {
  const values = { used: number(limit.used), limit: number(limit.limit) };
  if (limit.windowSeconds !== null) values.duration = duration(limit.windowSeconds);
  const more = limit.model ? [raw(limit.model), " "] : [];
  if (limit.waiting) more.push(...parts("limit.waiting", { n: limit.waiting }));
  if (limit.nextSlotSeconds > 0) more.push(limit.waiting ? ", " : "", t("limit.next", { duration: duration(limit.nextSlotSeconds) }));
  const label = `${owner} ${limit.model}, ${t("accounts.limits")}`;
  return el(
    "div",
    { class: "quota", "data-key": `${limit.model} ${limit.name}` },
    meter(limit.used, limit.limit, label, { high: 0.8, optimum: 0 }),
    el("span", {}, parts(`limit.${limit.name}`, values)),
    more.length ? el("small", {}, more) : null,
  );
}
