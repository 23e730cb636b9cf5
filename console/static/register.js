// A new request: the title follows the first sentence until somebody writes one. Everything works without this.
(() => {
  "use strict";
  const form = document.querySelector("form.register");
  if (!form) return;
  const text = form.elements.text, title = form.elements.title, other = form.elements.other_category;
  const follow = () => {
    const first = text.value.split(/[。！？!?；;\n]/).map((part) => part.trim()).find((part) => part) || "";
    title.placeholder = first.length > 30 ? first.slice(0, 30) + "…" : first;
  };
  text.addEventListener("input", follow);
  follow();
  // The last choice counts: large ones and the list of all put each other out.
  form.addEventListener("change", (event) => {
    if (event.target.name === "category") other.value = "";
    if (event.target === other && other.value) form.querySelectorAll("input[name=category]").forEach((each) => { each.checked = false; });
  });
})();
