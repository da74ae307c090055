// Light, dark, or as the system has it; the choice is kept where the browser allows it.
const startTheme = () => {
  const choices = ["auto", "light", "dark"];
  const button = byId("theme");
  let choice = "auto";
  try { choice = localStorage.getItem("kvratio-theme") || "auto"; } catch { /* a page opened from a file may not keep anything */ }
  const apply = () => {
    if (choice === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    button.textContent = { auto: "◐ Auto", light: "○ Light", dark: "● Dark" }[choice];
    button.setAttribute("aria-label", `Colour scheme: ${choice}. Press to change.`);
  };
  button.addEventListener("click", () => {
    choice = choices[(choices.indexOf(choice) + 1) % choices.length];
    try { localStorage.setItem("kvratio-theme", choice); } catch { /* as above */ }
    apply();
  });
  button.hidden = false;
  apply();
};
