// Pictures as SVG, each with a table that says the same to who does not see it.
const SPACE = "http://www.w3.org/2000/svg";
const COLOURS = { total: "#0b5f73", up: "#b3402a", down: "#1b7f4d" };

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function shape(name, attributes, text) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Rows of { title, from, to, told, kind }: bars from one amount to the next, one below the other.
export function bars(rows, label) {
  const width = 380, height = 26, left = 122, right = 78;
  const most = Math.max(...rows.flatMap((row) => [row.from, row.to]), 1e-9) * 1.02;
  const along = (amount) => left + (amount / most) * (width - left - right);
  const picture = shape("svg", {
    viewBox: `0 0 ${width} ${rows.length * height + 6}`, role: "img", "aria-label": label,
  });
  rows.forEach((row, at) => {
    const low = Math.min(row.from, row.to), high = Math.max(row.from, row.to), y = at * height + 4;
    picture.append(shape("text", { x: left - 8, y: y + 14, "text-anchor": "end" }, row.title));
    picture.append(shape("rect", {
      x: along(low), y, width: Math.max(along(high) - along(low), 2), height: height - 8, rx: 2,
      fill: COLOURS[row.kind],
    }));
    picture.append(shape("text", { x: along(high) + 6, y: y + 14 }, row.told));
  });
  return picture;
}

export function table(heads, rows) {
  return element("div", { class: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((one) => element("th", { scope: "col" }, one)))),
    element("tbody", {}, ...rows.map(([first, ...rest]) => element("tr", {},
      element("th", { scope: "row" }, first), ...rest.map((one) => element("td", {}, one)))))));
}

// The steps of a premium: an amount to begin with, what each step makes of it, and the end.
export function waterfall(steps, title, money) {
  const rows = [];
  let before = 0;
  steps.forEach((step, at) => {
    const last = at === steps.length - 1, first = at === 0;
    const change = step.running - before;
    if (first || last || Math.abs(change) > 0.005) {
      const kind = first || last ? "total" : change > 0 ? "up" : "down";
      const told = first || last ? money(step.running) : `${change > 0 ? "+" : "−"}${money(Math.abs(change))}`;
      rows.push({ title: title(step.name), from: first || last ? 0 : before, to: step.running, told, kind });
    }
    before = step.running;
  });
  return rows;
}
