// The sheet that shows one thing whole. The browser keeps the focus in it, and gives it back.

const sheet = document.getElementById("sheet");

const open = (title, above, ...content) => {
  sheet.replaceChildren(
    el(
      "div",
      { class: "sheet-head" },
      el("div", {}, el("p", { class: "above" }, above), el("h2", { id: "sheet-title", class: "name" }, title)),
      button("Close", () => sheet.close(), { class: "close", autofocus: true }),
    ),
    el("div", { class: "sheet-body" }, content),
  );
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
};

// A click beside it closes it, as people expect.
sheet.addEventListener("click", (event) => {
  const box = sheet.getBoundingClientRect();
  const beside =
    event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
  if (event.target === sheet && beside) sheet.close();
});

const code = (text) => el("pre", { tabindex: "0" }, el("code", {}, text));

const facts = (pairs) =>
  el(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value !== null)
      .map(([word, value]) => el("div", {}, el("dt", {}, word), el("dd", {}, value))),
  );
