"use strict";

// theme: the system's, until the button says otherwise
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

// what is said of a number when the mouse is over it, for fingers
const told = document.getElementById("told");
document.addEventListener("click", (event) => {
  const over = event.target.closest("td[title]");
  const drawn = event.target.closest("svg.strip g, svg.strip rect, svg.chart circle")?.querySelector("title");
  told.textContent = over ? over.title : drawn ? drawn.textContent : "";
  told.hidden = told.textContent === "";
});

// one button of a group is pressed
const choose = (buttons, chosen) => {
  for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen));
};

// words: all, right, wrong, changed
const shows = document.querySelectorAll("[data-show]");
for (const button of shows) {
  button.addEventListener("click", () => {
    choose(shows, button);
    for (const row of document.querySelectorAll("[data-state]")) {
      const states = ["all", ...row.dataset.state.split(" ")];
      row.classList.toggle("out", !states.includes(button.dataset.show));
    }
  });
}

// the map of sentences
const held = document.getElementById("map-data");
if (held) {
  const data = JSON.parse(held.textContent);
  const panels = [...document.querySelectorAll("svg.map")].map((svg) => {
    const uses = [...svg.querySelectorAll(".marks use")];
    const points = data.panels[svg.dataset.panel].map(([language, script, text, translation], i) => ({
      language, script, text, translation, use: uses[i],
      x: uses[i].x.baseVal.value, y: uses[i].y.baseVal.value,
    }));
    return { svg, points, rings: svg.querySelector(".rings") };
  });
  const reader = document.getElementById("map-reader");
  let by = "language";
  let alone = null;
  let here = null;

  const paint = () => {
    for (const { points } of panels) {
      for (const point of points) {
        const index = point[by];
        point.use.setAttribute("href", `#s${Math.floor(index / data.colors) % data.shapes}`);
        point.use.setAttribute("class", `c${index % data.colors}${alone === null || alone === index ? "" : " dim"}`);
      }
    }
  };
  const line = (kind, text, code) => {
    const made = document.createElement("p");
    made.className = kind;
    made.textContent = text;
    made.dir = "auto";
    if (code) made.lang = code;
    return made;
  };
  const ring = (point, kind, radius) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    for (const [name, value] of [["class", kind], ["cx", point.x], ["cy", point.y], ["r", radius]]) {
      made.setAttribute(name, value);
    }
    return made;
  };
  const read = (point, panel) => {
    if (point === here) return;
    here = point;
    // the same sentence has the same translation; the pivot's own is its translation
    const same = (other) => data.texts[point.translation] !== "" && other.translation === point.translation;
    for (const { points, rings } of panels) {
      rings.replaceChildren(...points.filter((p) => p !== point && same(p)).map((p) => ring(p, "same", 6)));
    }
    panel.rings.append(ring(point, "here", 9));
    const [code, name, tag] = data.languages[point.language];
    const parts = [line("note", name ? `${code}, ${name}` : code), line("text", data.texts[point.text], tag)];
    if (point.translation !== point.text && data.texts[point.translation] !== "") {
      parts.push(line("note", data.texts[point.translation]));
    }
    reader.replaceChildren(...parts);
    reader.classList.add("reading");
  };
  const visible = (point) => alone === null || point[by] === alone;
  const nearest = (points, x, y, accept) => {
    let best = null;
    let least = Infinity;
    for (const point of points) {
      const far = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (far < least && visible(point) && accept(point)) {
        best = point;
        least = far;
      }
    }
    return [best, least];
  };
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  for (const panel of panels) {
    const point = (event) => {
      const box = panel.svg.getBoundingClientRect();
      const unit = panel.svg.viewBox.baseVal.width / box.width;
      const [x, y] = [(event.clientX - box.left) * unit, (event.clientY - box.top) * unit];
      const [found, far] = nearest(panel.points, x, y, () => true);
      if (found && far < 24 ** 2) read(found, panel);
    };
    panel.svg.addEventListener("pointermove", point);
    panel.svg.addEventListener("pointerdown", point);
    panel.svg.addEventListener("keydown", (event) => {
      const way = ARROWS[event.key];
      if (!way) return;
      event.preventDefault();
      const from = panel.points.includes(here) ? here : null;
      const middle = panel.svg.viewBox.baseVal.width / 2;
      const ahead = (p) => {
        const [dx, dy] = [p.x - from.x, p.y - from.y];
        const along = dx * way[0] + dy * way[1];
        return along > 0 && along >= Math.abs(dx * way[1] + dy * way[0]);
      };
      const [found] = from ? nearest(panel.points, from.x, from.y, ahead)
        : nearest(panel.points, middle, middle, () => true);
      if (found) read(found, panel);
    });
  }

  const switches = document.querySelectorAll(".switch [data-by]");
  const legends = document.querySelectorAll(".map-legend");
  const entries = document.querySelectorAll(".map-legend button");
  for (const button of switches) {
    button.addEventListener("click", () => {
      by = button.dataset.by;
      alone = null;
      choose(switches, button);
      choose(entries, null);
      for (const legend of legends) legend.hidden = legend.dataset.by !== by;
      paint();
    });
  }
  for (const entry of entries) {
    entry.addEventListener("click", () => {
      const index = Number(entry.dataset.index);
      alone = alone === index ? null : index;
      choose(entries, alone === null ? null : entry);
      paint();
    });
  }
}
