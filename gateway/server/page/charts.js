// The four charts: what each draws, and what it says in words and in a table.
import { cell, el, figure, row, show, table } from "./dom.js";
import { drawing, placeAt } from "./drawing.js";
import { cost, dayOf, dollars, minuteOf, number, parts, plainMilliseconds, shortly, t } from "./words.js";

const QUARTER = 15; // minutes between the times under a chart
const WEEK = 7;

const sum = (values) => values.reduce((all, each) => all + each, 0);

/** The charts of this page. */
export class Charts {
  constructor() {
    this.charts = [];
    this.drawn = new Map(); // by chart: what stands there, to draw only what has changed
    this.place = document.getElementById("charts");
    this.widths = new ResizeObserver(() => this.draw());
    this.place.addEventListener("pointermove", (event) => this.point(event));
  }

  show(status) {
    const all = [requests(status.series), first(status.series), tokens(status.series), costs(status.days)];
    this.charts = all.map((chart) => (chart.columns.some(({ values }) => values.some(Boolean)) ? chart : { ...chart, xs: [] }));
    show(
      this.place,
      el("h2", { id: "charts-title" }, t("charts.title")),
      el("div", { class: "charts" }, this.charts.map((chart) => this.figure(chart))),
    );
    this.draw();
  }

  draw() {
    for (const chart of this.charts.filter(({ xs }) => xs.length)) {
      const place = document.getElementById(`draw-${chart.id}`);
      this.widths.observe(place);
      const width = Math.floor(place.clientWidth);
      const key = JSON.stringify([width, chart.xs, chart.series]);
      if (!width || this.drawn.get(chart.id) === key) continue;
      this.drawn.set(chart.id, key);
      show(place, drawing(chart, width));
    }
  }

  // The values under the pointer, in words.
  point({ target, clientX }) {
    const place = target.closest?.(".drawing");
    const chart = place && this.charts.find(({ id }) => place.id === `draw-${id}`);
    if (!chart) return;
    const box = place.getBoundingClientRect();
    const found = placeAt(chart, clientX - box.left, box.width);
    const values = found === null ? [] : chart.series.filter((each) => each.values[found] !== null);
    const told = values.map((each) => `${each.label} ${chart.axis(each.values[found])}`);
    place.nextElementSibling.textContent = told.length ? [chart.at(chart.xs[found]), ...told].join(" · ") : "";
  }

  figure(chart) {
    const title = t(`chart.${chart.id}`);
    const head = [el("h3", { id: `chart-${chart.id}` }, title), el("p", { class: "reading" }, chart.text)];
    const named = { "data-key": chart.id, "aria-labelledby": `chart-${chart.id}` };
    if (!chart.xs.length) return el("figure", named, head);
    return el(
      "figure",
      named,
      head,
      el("div", { id: `draw-${chart.id}`, class: "drawing", "data-keep": true, "aria-hidden": "true" }),
      el("p", { class: "pointed", "data-keep": true, "aria-hidden": "true" }),
      el("div", { class: "below" }, chart.series.length > 1 ? legend(chart.series) : null, this.details(chart, title)),
    );
  }

  // The rows are made only while they are read.
  details(chart, title) {
    const id = `table-${chart.id}`;
    const open = document.getElementById(id)?.open ?? false;
    const name = `${t("charts.table")}: ${title}`;
    return el(
      "details",
      { id, "data-key": "table" },
      el("summary", { "aria-label": name }, t("charts.table")),
      open ? el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, rows(chart, title)) : null,
    );
  }
}

function legend(series) {
  const items = series.map(({ ink, label, dash }) => el("li", {}, el("i", { class: `swatch ink-${ink} ${dash ? "dash" : ""}` }), label));
  return el("ul", { class: "legend", "aria-hidden": "true" }, items);
}

function rows(chart, title) {
  const columns = [{ text: chart.across }, ...chart.columns.map(({ label }) => ({ text: label, number: true }))];
  const lines = chart.xs.map((x, place) =>
    row(
      String(x),
      el("th", { scope: "row", role: "rowheader" }, chart.at(x)),
      chart.columns.map(({ values, shown }, column) => cell(columns[column + 1], values[place] === null ? chart.absent : shown(values[place]))),
    ),
  );
  return table(title, columns, el("tbody", { role: "rowgroup" }, lines.reverse()));
}

// A chart is what `drawing` takes, and `text` in words, `across` and `columns` of its table, `absent` for what is null.
function hourly(id, series, fields, shown, more) {
  const chart = { id, across: t("charts.time"), at: minuteOf, absent: "–", stacked: true, axis: shortly, least: 2, ...more };
  chart.xs = series.answered.map((_, place) => series.fromAt + 60 * place);
  chart.marked = (place) => Math.round(chart.xs[place] / 60) % QUARTER === 0;
  chart.series = fields.map(([field, ink, label, dash]) => ({ ink, label, dash, values: series[field] }));
  chart.columns = chart.series.map(({ label, values }) => ({ label, values, shown }));
  return chart;
}

function requests(series) {
  const outcomes = ["answered", "failed", "refused", "cancelled"];
  const all = series.answered.map((_, place) => sum(outcomes.map((each) => series[each][place])));
  const failed = number(sum(series.failed));
  const text = { now: number(all.at(-1)), most: number(Math.max(...all)), total: number(sum(all)), failed };
  const fields = outcomes.map((each) => [each, each, t(`outcome.${each}`)]);
  return hourly("requests", series, fields, number, { text: parts("chart.requests.text", text) });
}

function first(series) {
  const latest = series.firstP50Ms.findLastIndex((each) => each !== null);
  const shown = (value) => figure(value, plainMilliseconds(value));
  const values = { p50: shown(series.firstP50Ms[latest] ?? 0), p95: shown(series.firstP95Ms[latest] ?? 0) };
  const text = latest < 0 ? t("chart.first.none") : parts("chart.first.text", values);
  const fields = [["firstP50Ms", "strong", t("series.p50")], ["firstP95Ms", "soft", t("series.p95"), true]];
  return hourly("first", series, fields, shown, { text, stacked: false, axis: plainMilliseconds, least: 100 });
}

function tokens(series) {
  const all = series.input.map((each, place) => each + series.output[place]);
  const text = parts("chart.tokens.text", { now: number(all.at(-1)), most: number(Math.max(...all)), total: number(sum(all)) });
  const fields = [["input", "strong", t("series.input")], ["output", "soft", t("series.output")]];
  return hourly("tokens", series, fields, number, { text });
}

function costs(days) {
  const chart = { id: "cost", across: t("charts.day"), at: dayOf, absent: t("cost.unknown"), stacked: true, axis: dollars };
  if (days === null) return { ...chart, xs: [], series: [], columns: [], text: t("chart.cost.none") };
  const values = days.map(({ costUsd }) => costUsd);
  const priced = values.filter((each) => each !== null);
  const total = cost(priced.length ? sum(priced) : null, sum(days.map(({ unpriced }) => unpriced)));
  const today = days.at(-1);
  const dollar = (value) => figure(value, dollars(value));
  return {
    ...chart,
    xs: days.map(({ day }) => new Date(`${day}T00:00`).getTime() / 1000),
    text: parts("chart.cost.text", { today: cost(today.costUsd, today.unpriced), total }),
    least: 0.01,
    marked: (place) => (days.length - 1 - place) % WEEK === 0,
    series: [{ ink: "strong", label: t("series.cost"), values }],
    columns: [
      { label: t("series.cost"), values, shown: dollar },
      { label: t("series.unpriced"), values: days.map(({ unpriced }) => unpriced), shown: number },
      { label: t("series.calls"), values: days.map(({ calls }) => calls), shown: number },
      { label: t("outcome.failed"), values: days.map(({ failed }) => failed), shown: number },
    ],
  };
}
