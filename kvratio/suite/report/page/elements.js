// Making elements: h("td", {class: "num"}, "3.1"), s("rect", {x: 1}) for SVG.
const make = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
};
const h = (tag, attributes, ...children) => make(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) =>
  make(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const byId = (id) => document.getElementById(id);
const whole = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));
const tell = (text) => {
  const place = byId("trouble");
  place.textContent = text;
  place.hidden = false;
};

// A button that copies a command; where copying is not allowed, the text is selected instead.
const command = (text, label) => {
  const code = h("code", { tabindex: 0 }, text);
  const button = h("button", { type: "button", class: "ghost", "aria-label": `Copy: ${label}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return h("div", { class: "command" }, code, button);
};

// A link that saves data as a file.
const download = (text, name, label) =>
  h("a", { class: "ghost", download: name, href: `data:application/json;charset=utf-8,${encodeURIComponent(text)}` }, label);

const table = (caption, heads, rows) =>
  h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", {}, h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, heads.map((head) =>
        h("th", { scope: "col", class: head.startsWith(">") ? "num" : null }, head.replace(/^>/, ""))))),
      h("tbody", {}, rows)));
