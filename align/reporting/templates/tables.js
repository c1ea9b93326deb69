// tables: press a heading to sort, the largest numbers first; what has no value goes last
const valueOf = (cell) => {
  const text = cell.textContent.trim();
  const amount = text.match(/^[+−]?\d[\d,]*(\.\d+)?(?=$|\s)/); // of "12 of 2,000" and of "+0.250 ≈" the first number
  return text === "" || text === "–" ? null : amount ? Number(amount[0].replace("−", "-").replace(/[+,]/g, "")) : text;
};
const before = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
for (const button of document.querySelectorAll("button.sort")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const column = [...head.parentNode.children].indexOf(head);
    const body = head.closest("table").tBodies[0];
    const keyed = [...body.rows].map((row) => [valueOf(row.cells[column]), row]);
    const numeric = keyed.some(([key]) => typeof key === "number");
    const was = head.getAttribute("aria-sort");
    const down = was ? was === "ascending" : numeric;
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    keyed.sort(([a], [b]) => (a === null) - (b === null) || (down ? -1 : 1) * before(a, b));
    body.append(...keyed.map(([, row]) => row));
  });
}

// tables of languages: only the rows that have what is looked for in a code or a name
const find = document.getElementById("find");
const languages = [...document.querySelectorAll("table.rows")].filter((table) => table.querySelector("tbody .code"));
find.addEventListener("input", () => {
  const asked = find.value.trim().toLowerCase();
  let [all, left] = [0, 0];
  for (const row of languages.flatMap((table) => [...table.tBodies[0].rows])) {
    const names = [...row.querySelectorAll("th, .code, .name")].map((part) => part.textContent.toLowerCase());
    row.hidden = asked !== "" && !names.some((name) => name.includes(asked));
    all += 1;
    left += !row.hidden;
  }
  document.getElementById("found").textContent = asked === "" ? "" : `${left} of ${all} rows`;
});

// tables as text: the rows that are shown, in their order; drawings are left out
const textOf = (cell) => {
  const own = cell.cloneNode(true);
  for (const part of own.querySelectorAll("svg, .name")) part.remove();
  for (const part of own.querySelectorAll("small")) part.prepend(" ");
  const several = [...own.querySelectorAll(".stack > div, .model")].map((part) => part.textContent.trim());
  return (several.length > 1 ? several.join(" / ") : own.textContent).replace(/\s+/g, " ").trim();
};
const matrixOf = (table) => {
  const cells = (row) => [...row.cells].flatMap((cell) => [textOf(cell), ...Array(cell.colSpan - 1).fill(null)]);
  const filled = (row) => cells(row).reduce((all, text) => [...all, text ?? all.at(-1)], []);
  const heads = [...table.tHead.rows].map(filled);
  const head = heads.at(-1).map((name, i) => heads.map((row) => row[i]).filter(Boolean).join(" ") || name);
  const body = [...table.rows].filter((row) => row.parentNode !== table.tHead && row.offsetParent !== null);
  const kept = head.map((_, i) => i).filter((i) => !body.some((row) => row.cells[i]?.querySelector("svg.strip")));
  let over = ""; // what stands over the rows that follow
  const named = [];
  for (const row of body) {
    const [first, ...rest] = cells(row);
    if (row.className === "head") over = `${first}: `;
    else named.push([over + first, ...rest]);
  }
  return [head, ...named].map((row) => kept.map((i) => row[i] ?? ""));
};
const SIGNS = {
  "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
  "−": "$-$", "≈": "$\\approx$", "→": "$\\to$", "–": "--",
};
const latex = (text) => text.replace(/[\\~^−≈→–&%$#_{}]/g, (sign) => SIGNS[sign] ?? `\\${sign}`);
const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
const FORMS = {
  CSV: (rows) => rows.map((row) => row.map((text) => quoted(text.replace(/−/g, "-"))).join(",")),
  Markdown: ([head, ...rows]) =>
    [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map((text) => text.replace(/\|/g, "\\|")).join(" | ")} |`),
  LaTeX: ([head, ...rows]) => [
    `\\begin{tabular}{${"l".padEnd(head.length, "r")}}`, "\\hline",
    `${head.map(latex).join(" & ")} \\\\ \\hline`, ...rows.map((row) => `${row.map(latex).join(" & ")} \\\\`),
    "\\hline", "\\end{tabular}",
  ],
};
const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a page that is opened as a file may not
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = text;
    area.select();
    document.execCommand("copy");
    area.remove();
  }
};
for (const box of document.querySelectorAll(".box")) {
  const bar = document.createElement("p");
  bar.className = "copy";
  bar.append("Copy as");
  for (const [name, form] of Object.entries(FORMS)) {
    const button = bar.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", async () => {
      await copy(`${form(matrixOf(box.querySelector("table"))).join("\n")}\n`);
      button.textContent = "copied";
      setTimeout(() => (button.textContent = name), 1200);
    });
  }
  box.after(bar);
}
