// The wall: scales one canvas to any screen, keeps itself fresh, says when it is not. ES2020, no library.
"use strict";
(() => {
  const body = document.body, root = document.documentElement;
  const inside = document.getElementById("inside"), asOf = document.getElementById("as-of"), clock = document.getElementById("clock");
  const WIDTH = 1920, HEIGHT = 1080, TURN = 12000, STALE = 60000;
  const pad = (number) => String(number).padStart(2, "0");
  // In office time, whatever the machine behind the wall believes: shifted, then read as if it were UTC.
  const office = (at) => new Date(at.getTime() + Number(body.dataset.offset) * 60000);
  const time = (at) => `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())}`;

  // ---- size: one 16:9 canvas, the rest stays empty
  const fit = () => {
    const width = Number(body.dataset.width) || window.innerWidth, height = Number(body.dataset.height) || window.innerHeight;
    const scale = Math.min(width / WIDTH, height / HEIGHT);
    root.classList.add("scaled");
    root.style.setProperty("--scale", String(scale));
    root.style.setProperty("--left", `${Math.max(0, (width - WIDTH * scale) / 2)}px`);
    root.style.setProperty("--top", `${Math.max(0, (height - HEIGHT * scale) / 2)}px`);
  };
  window.addEventListener("resize", fit);
  fit();

  // ---- time: by the clock of the server, for a wall's own is seldom right
  let ahead = new Date(body.dataset.at).getTime() - Date.now(), told = performance.now(), shownAt = new Date(body.dataset.at);
  const now = () => new Date(Date.now() + ahead);
  const tick = () => {
    const at = office(now());
    clock.textContent = `${at.getUTCFullYear()}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())} ${time(at)}`;
    const age = performance.now() - told;
    root.classList.toggle("stale", age > STALE);
    asOf.textContent = age > STALE
      ? body.dataset.sayStale.replace("{n}", String(Math.floor(age / 60000)))
      : body.dataset.sayAsOf.replace("{t}", time(office(shownAt)));
  };
  setInterval(tick, 1000);

  // ---- the list turns its pages by itself
  let turn = 0;
  const leaf = () => {
    const list = inside.querySelector(".lines"), pages = document.getElementById("pages");
    const lines = Array.from(inside.querySelectorAll(".line")), size = Number(list.dataset.page);
    const count = Math.max(1, Math.ceil(lines.length / size));
    lines.forEach((line, place) => line.classList.toggle("later", Math.floor(place / size) !== turn % count));
    pages.textContent = count > 1 ? `${(turn % count) + 1} / ${count}` : "";
  };
  setInterval(() => { turn += 1; leaf(); }, TURN);

  // ---- news
  const open = () => {
    const source = new EventSource(body.dataset.events);
    source.addEventListener("assets", (event) => { if (event.data !== body.dataset.assets) window.location.reload(); });
    source.addEventListener("board", (event) => {
      const news = JSON.parse(event.data);
      shownAt = new Date(news.at);
      ahead = shownAt.getTime() - Date.now();
      told = performance.now();
      if (news.inside !== null) { inside.innerHTML = news.inside; leaf(); }
      tick();
    });
    source.addEventListener("error", () => {
      // The browser tries again by itself unless it was refused.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 15000);
    });
  };
  leaf();
  tick();
  open();
})();
