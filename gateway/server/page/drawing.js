// A chart as SVG, drawn at the width of its place so that its words keep their size. Its colours stand in page.css: a
// change of the scheme needs no drawing. A text and a table beside it say the same, so screen readers pass over it.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 150;
const LEFT = 56; // for the values at the axis
const BELOW = 24; // for the times under it
const ABOVE = 8;
const APART = 56; // times under it, at least
const WIDEST = 24; // a bar
const TOPS = [1, 2, 4, 6, 8, 10]; // times a power of ten; their halves are short numbers too

function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.flat());
  return made;
}

const shortened = (value) => String(Math.round(value * 10) / 10);

/** The chart: `xs`, the texts `at(x)` and `axis(value)`, `series` of {ink, values, dash}, `stacked` as bars or not,
 * `least` for the top of the axis, `marked(place)` for what has a time under it. `width` in CSS pixels. */
export function drawing(chart, width) {
  const top = topOf(chart);
  const room = { step: (width - LEFT) / chart.xs.length, height: HEIGHT - ABOVE - BELOW };
  const y = (value) => ABOVE + room.height * (1 - value / top);
  const x = (place) => LEFT + room.step * (place + 0.5);
  const shapes = chart.stacked ? bars(chart, x, y, room.step) : lines(chart, x, y);
  const size = { width: String(width), height: String(HEIGHT), viewBox: `0 0 ${width} ${HEIGHT}` };
  return svg("svg", { ...size, focusable: "false" }, grid(chart, y, top, width), times(chart, x, width), shapes);
}

/** Which value stands at a place of the drawing, in CSS pixels from its left; null beside all of them. */
export function placeAt(chart, left, width) {
  const place = Math.floor((left - LEFT) / ((width - LEFT) / chart.xs.length));
  return place >= 0 && place < chart.xs.length ? place : null;
}

function topOf({ xs, series, stacked, least }) {
  const highest = stacked
    ? xs.map((_, place) => series.reduce((all, { values }) => all + (values[place] ?? 0), 0))
    : series.flatMap(({ values }) => values.filter((each) => each !== null));
  const most = Math.max(least, ...highest);
  const power = 10 ** Math.floor(Math.log10(most));
  return TOPS.find((each) => each * power >= most) * power;
}

function grid({ axis }, y, top, width) {
  return [0, top / 2, top].map((value) => {
    const height = shortened(y(value));
    const text = svg("text", { x: String(LEFT - 8), y: height, dy: "0.32em", "text-anchor": "end" }, axis(value));
    return svg("g", {}, svg("line", { class: "grid", x1: String(LEFT), x2: String(width), y1: height, y2: height }), text);
  });
}

function times({ xs, at, marked }, x, width) {
  const wanted = xs.map((_, place) => place).filter(marked).reverse(); // the latest is always named
  const apart = wanted.length > 1 ? Math.ceil(APART / Math.abs(x(wanted[0]) - x(wanted[1]))) : 1;
  return wanted.filter((_, index) => index % apart === 0).map((place) => {
    const middle = x(place);
    const anchor = middle > width - 24 ? "end" : middle < LEFT + 16 ? "start" : "middle";
    const left = anchor === "end" ? width : anchor === "start" ? LEFT : middle;
    return svg("text", { x: shortened(left), y: String(HEIGHT - 6), "text-anchor": anchor }, at(xs[place]));
  });
}

function bars({ xs, series }, x, y, step) {
  const width = Math.min(step * 0.75, WIDEST);
  return xs.flatMap((_, place) => {
    let below = 0;
    return series.flatMap(({ ink, values }) => {
      const value = values[place] ?? 0;
      if (!value) return [];
      const [low, high] = [y(below), y(below + value)];
      below += value;
      const box = { x: shortened(x(place) - width / 2), y: shortened(high), width: shortened(width), height: shortened(low - high) };
      return [svg("rect", { class: `ink-${ink}`, ...box })];
    });
  });
}

function lines({ series }, x, y) {
  return series.flatMap(({ ink, values, dash }) => {
    const known = values.flatMap((value, place) => (value === null ? [] : [[place, shortened(x(place)), shortened(y(value))]]));
    const joined = (place) => known[place - 1]?.[0] === known[place][0] - 1; // a minute without a stream is a gap
    const path = known.map(([, left, height], place) => `${joined(place) ? "L" : "M"}${left} ${height}`).join("");
    const dots = known.map(([, left, height]) => svg("circle", { class: `ink-${ink}`, cx: left, cy: height, r: "2" }));
    return [svg("path", { class: `line ink-${ink} ${dash ? "dash" : ""}`, d: path }), ...dots];
  });
}
