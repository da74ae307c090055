// Sorting and filtering of the list and the matrix. Both are complete in the page; scripts only hide and reorder.
const startTable = (open) => {
  const section = byId("ratios");
  const list = document.querySelector("#list tbody");
  const grid = document.querySelector("#matrix table");
  const rows = [...list.rows].map((row) => ({
    row,
    k: Number(row.dataset.k),
    policy: row.cells[0].firstElementChild.textContent,
    family: row.cells[1].textContent,
    tags: (row.dataset.t || "").split(" "),
    keys: row.dataset.s.split(",").map((text) => (text === "" ? null : Number(text))),
  }));
  const byNumber = new Map(rows.map((item) => [item.k, item]));
  const control = Object.fromEntries(["search", "policy", "family", "only", "sort", "which"].map((id) => [id, byId(id)]));

  // -- filter
  const shown = (item) => {
    const words = control.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = `${item.policy} ${item.family}`.toLowerCase();
    return words.every((word) => text.includes(word))
      && (!control.policy.value || item.policy === control.policy.value)
      && (!control.family.value || item.family === control.family.value)
      && (!control.only.value || item.tags.includes(control.only.value));
  };
  const filter = () => {
    const visible = new Set(rows.filter(shown).map((item) => item.k));
    const policies = new Set(), families = new Set();
    for (const item of rows) {
      item.row.hidden = !visible.has(item.k);
      if (visible.has(item.k)) { policies.add(item.policy); families.add(item.family); }
    }
    const heads = [...grid.tHead.rows[0].cells];
    const kept = heads.map((head, k) => k === 0 || families.has(head.dataset.f));
    heads.forEach((head, k) => (head.hidden = !kept[k]));
    for (const line of grid.tBodies[0].rows) {
      line.hidden = !policies.has(line.dataset.p);
      [...line.cells].forEach((cell, k) => {
        cell.hidden = !kept[k];
        const button = cell.tagName === "TD" && cell.firstElementChild;
        if (button) cell.classList.toggle("dim", !visible.has(Number(button.dataset.k)));
      });
    }
    const all = visible.size === rows.length ? "" : ` of ${rows.length}`;
    const many = (count, one, more) => `${count} ${count === 1 ? one : more}`;
    byId("count").textContent = visible.size
      ? `${visible.size}${all} cells: ${many(policies.size, "policy", "policies")}, ${many(families.size, "family", "families")}.`
      : "No cell matches: reset the filter to see all.";
  };

  // -- sort: places without a value stand last, whichever way
  const compare = (value, down) => (a, b) => {
    const x = value(a), y = value(b);
    if (x === null || y === null) return x === y ? a.k - b.k : x === null ? 1 : -1;
    const order = typeof x === "string" ? x.localeCompare(y, "en") : x - y;
    return (down ? -order : order) || a.k - b.k;
  };
  const heads = [...document.querySelectorAll("#list th[data-sort]")];
  const sort = (by, down) => {
    const value = { order: (item) => item.k, policy: (item) => item.policy, family: (item) => item.family }[by]
      || ((item) => item.keys[Number(by)]);
    list.append(...[...rows].sort(compare(value, down)).map((item) => item.row));
    for (const head of heads) {
      if (head.dataset.sort === by) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    const option = `${by}${Number.isInteger(Number(by)) ? (down ? "-" : "+") : ""}`;
    if ([...control.sort.options].some((o) => o.value === option)) control.sort.value = option;
  };
  for (const head of heads) {
    const button = h("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const first = head.dataset.sort === "policy" || head.dataset.sort === "family" ? "ascending" : "descending";
      sort(head.dataset.sort, now ? now === "ascending" : first === "descending");
    });
  }
  control.sort.addEventListener("change", () => {
    const [, by, sign] = /^(.+?)([+-]?)$/.exec(control.sort.value);
    sort(by, sign === "-");
  });

  // -- matrix: a family's heading sorts the policies by that column
  const lines = [...grid.tBodies[0].rows];
  const which = () => (control.which.value === "mean" ? 1 : 0);
  for (const head of grid.tHead.rows[0].cells) {
    const at = Number(head.dataset.col);
    const button = h("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of grid.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (entry) => {
        if (at < 0) return entry.line.dataset.p;
        const cell = entry.line.cells[at + 1].firstElementChild;
        return cell ? byNumber.get(Number(cell.dataset.k)).keys[which()] : null;
      };
      grid.tBodies[0].append(...lines.map((line, k) => ({ line, k })).sort(compare(value, down)).map((entry) => entry.line));
    });
  }
  const buttons = [...grid.querySelectorAll("td button")];
  for (const button of buttons) button.dataset.worst = button.textContent;
  control.which.addEventListener("change", () => {
    grid.classList.toggle("mean", which() === 1);
    for (const button of buttons) button.textContent = (which() && button.dataset.mean) || button.dataset.worst;
  });

  // -- views
  const view = (name) => {
    section.dataset.view = name;
    for (const other of ["matrix", "list"]) {
      byId(other).hidden = other !== name;
      byId("views").querySelector(`[data-view="${other}"]`).setAttribute("aria-pressed", String(other === name));
    }
  };
  for (const button of byId("views").children) button.addEventListener("click", () => view(button.dataset.view));
  byId("views").hidden = byId("tools").hidden = false;
  // On paper and on a phone the list reads better; where there is room the matrix shows everything at once.
  view(matchMedia("(min-width: 62rem)").matches ? "matrix" : "list");

  const tools = byId("tools");
  tools.addEventListener("input", filter);
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("reset", () => setTimeout(() => {
    filter();
    sort("order", false);
    control.which.dispatchEvent(new Event("change"));
  }));
  list.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row && !getSelection().toString()) open(Number(row.dataset.k));
  });
  grid.addEventListener("click", (event) => {
    const button = event.target.closest("td button");
    if (button) open(Number(button.dataset.k));
  });
};
