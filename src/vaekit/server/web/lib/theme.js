/** Light, dark, or as the system has it; kept in this browser. */

const CHOICES = ["auto", "light", "dark"];
const WORDS = { auto: "as the system", light: "light", dark: "dark" };
const KEY = "vaekit-theme";

/**
 * Put the kept choice in force, and let the button go round the choices. `onchange` is called when colours changed.
 * @param {HTMLButtonElement} button
 * @param {() => void} onchange
 */
export function themeSwitch(button, onchange) {
  const apply = (choice) => {
    if (choice === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    button.setAttribute("aria-label", `Appearance: ${WORDS[choice]}`);
    button.querySelector(".theme-name").textContent = choice;
  };
  let chosen = CHOICES.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "auto";
  apply(chosen);
  button.addEventListener("click", () => {
    chosen = CHOICES[(CHOICES.indexOf(chosen) + 1) % CHOICES.length];
    localStorage.setItem(KEY, chosen);
    apply(chosen);
    onchange();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onchange);
}

/**
 * A colour of the style sheet as it is now: `token("--accent")`.
 * @param {string} name
 */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
