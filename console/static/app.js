// The few things the pages do better with a script than without; everything works without it. Understood by Chromium 86 (ES2020).
// Nothing here decides or remembers more than a draft: the server is asked.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("script");
  const say = (name) => document.body.dataset["say" + name] || "";
  const ready = (act) => (document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act());

  // ---- Writing Chinese: while syllables are being composed nobody is told; once, when the word stands. ----
  let composing = false;
  window.addEventListener("compositionstart", () => { composing = true; }, true);
  window.addEventListener("input", (event) => { if (composing || event.isComposing) event.stopImmediatePropagation(); }, true);
  window.addEventListener("compositionend", (event) => {
    composing = false;
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);
  // Enter that takes a word from the list of candidates does not send the form.
  window.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.stopImmediatePropagation();
  }, true);

  // ---- Two taps are one act: the hidden id says so to the server, the sleeping button to the person. ----
  const AWAKE_AFTER = 20000;
  const sleep = (form) => {
    form.dataset.sent = "yes";
    // After the browser has collected the fields: a disabled button would not be among them.
    setTimeout(() => form.querySelectorAll("button:not([type=button])").forEach((button) => {
      button.disabled = true;
      button.setAttribute("aria-busy", "true");
    }), 0);
    setTimeout(() => wake(form), AWAKE_AFTER);
  };
  const wake = (form) => {
    if (!form.dataset.sent) return;
    delete form.dataset.sent;
    form.querySelectorAll("button[aria-busy]").forEach((button) => {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    });
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("data-download")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    sleep(form);
  }, true);
  // A page that comes back from the browser's memory is awake again.
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(wake));
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.target.closest && event.target.closest("form");
    if (form) wake(form);
  });
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") event.detail.headers["X-CSRF-Token"] = document.body.dataset.csrf;
  });

  // ---- Drafts: what was written into form[data-draft] outlives a lost connection and an ended session, on this device, for a day. ----
  const DRAFT = "draft:", SENT = "draft-sent", A_DAY = 24 * 3600 * 1000;
  const store = (area) => { try { return window[area]; } catch (refused) { return null; } };
  const local = store("localStorage"), tab = store("sessionStorage");
  const keep = (area, key, value) => { try { area.setItem(key, value); } catch (full) { /* a draft is a courtesy */ } };
  const everyDraft = () => Object.keys(local || {}).filter((key) => key.startsWith(DRAFT));
  const kept = (field) => field.name && !field.name.startsWith("_") && !["hidden", "password", "file", "submit", "button"].includes(field.type) && !field.hasAttribute("data-no-draft");
  const keyOf = (form) => DRAFT + document.body.dataset.person + ":" + form.dataset.draft;
  const written = (form) => {
    const values = {};
    for (const field of form.elements) {
      if (!kept(field)) continue;
      values[field.name] = values[field.name] || [];
      if (field.type === "radio" || field.type === "checkbox") { if (field.checked) values[field.name].push(field.value); }
      else if (field.tagName === "SELECT") values[field.name].push(...Array.from(field.selectedOptions, (option) => option.value));
      else values[field.name].push(field.value);
    }
    return values;
  };
  const bringBack = (form, values) => {
    let changed = false;
    const taken = {};
    for (const field of form.elements) {
      if (!kept(field) || !(field.name in values)) continue;
      const given = values[field.name];
      if (field.type === "radio" || field.type === "checkbox") {
        const on = given.includes(field.value);
        changed = changed || field.checked !== on;
        field.checked = on;
      } else if (field.tagName === "SELECT") {
        for (const option of field.options) {
          const on = given.includes(option.value);
          changed = changed || option.selected !== on;
          option.selected = on;
        }
      } else {
        const at = taken[field.name] || 0;
        taken[field.name] = at + 1;
        if (given[at] === undefined) continue;
        changed = changed || field.value !== given[at];
        field.value = given[at];
      }
    }
    return changed;
  };
  const tellDraft = (form) => {
    const note = document.createElement("div");
    note.className = "say say-info";
    note.setAttribute("role", "status");
    const text = document.createElement("span");
    text.textContent = say("Draft") + " ";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm";
    button.textContent = say("Discard");
    button.addEventListener("click", () => { local.removeItem(keyOf(form)); form.reset(); note.remove(); });
    note.append(text, button);
    form.prepend(note);
  };
  const drafts = () => {
    if (!local || !tab) return;
    const kind = document.body.dataset.kind, forms = Array.from(document.querySelectorAll("form[data-draft]"));
    for (const key of everyDraft()) {
      let at = 0;
      try { at = JSON.parse(local.getItem(key)).at; } catch (broken) { at = 0; }
      if (!(Date.now() - at < A_DAY)) local.removeItem(key);
    }
    const refused = (form) => form.querySelector("[aria-invalid=true], .say-bad") !== null;
    const sent = tab.getItem(SENT);
    if (sent) {
      tab.removeItem(SENT);
      const again = forms.some((form) => keyOf(form) === sent && refused(form));
      if (kind === "page" && !again) local.removeItem(sent);
    }
    for (const form of forms) {
      const found = local.getItem(keyOf(form));
      if (found && !refused(form)) {
        try { if (bringBack(form, JSON.parse(found).values)) tellDraft(form); } catch (broken) { local.removeItem(keyOf(form)); }
      }
      const save = () => keep(local, keyOf(form), JSON.stringify({ at: Date.now(), values: written(form) }));
      form.addEventListener("input", save);
      form.addEventListener("change", save);
      form.addEventListener("submit", () => keep(tab, SENT, keyOf(form)));
    }
  };
  document.addEventListener("submit", (event) => {
    if (event.target.hasAttribute("data-forget-drafts") && local) everyDraft().forEach((key) => local.removeItem(key));
  });

  // ---- Files: how many were chosen, and small pictures of them. ----
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.matches || !input.matches(".file-input")) return;
    const box = input.closest(".file"), thumbs = box.querySelector(".file-thumbs");
    box.querySelector(".file-count").textContent = input.files.length ? say("Files").replace("{n}", input.files.length) : "";
    thumbs.querySelectorAll("img").forEach((image) => URL.revokeObjectURL(image.src));
    thumbs.textContent = "";
    for (const file of Array.from(input.files).slice(0, 12)) {
      if (!file.type.startsWith("image/")) continue;
      const image = document.createElement("img");
      image.alt = file.name;
      image.src = URL.createObjectURL(file);
      thumbs.append(image);
    }
  });

  // ---- [data-refresh="15"]: the part is asked for again every so many seconds while somebody looks at it. A server that answers 304
  //      costs nothing; the header tells it that nobody pressed anything, so a session does not live on by it. ----
  const messages = (text) => {
    const place = document.getElementById("messages");
    if (!place || place.dataset.told === text) return;
    place.dataset.told = text;
    place.querySelectorAll("[data-told]").forEach((old) => old.remove());
    if (!text) return;
    const note = document.createElement("p");
    note.className = "say say-warn";
    note.dataset.told = "yes";
    note.textContent = text;
    place.append(note);
  };
  const busy = (part) => part.contains(document.activeElement) || part.querySelector("details[open], form[data-sent]") !== null;
  const refresh = (part) => {
    let tag = null;
    const every = Math.max(5, Number(part.dataset.refresh) || 15) * 1000;
    const ask = async () => {
      if (document.visibilityState !== "visible" || busy(part)) return;
      const headers = { "X-Refresh": "yes" };
      if (tag) headers["If-None-Match"] = tag;
      try {
        const answer = await fetch(part.dataset.refreshFrom || location.href, { headers, credentials: "same-origin", cache: "no-store" });
        if (answer.status === 401 || (answer.redirected && new URL(answer.url).pathname === "/sign-in")) { messages(say("SignedOut")); return; }
        messages(answer.ok || answer.status === 304 ? "" : say("Away"));
        if (answer.status !== 200) return;
        tag = answer.headers.get("ETag");
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
        if (!fresh || busy(part) || fresh.innerHTML === part.innerHTML) return;
        part.replaceChildren(...Array.from(fresh.childNodes));
        if (window.htmx) window.htmx.process(part);
      } catch (away) { messages(say("Away")); }
    };
    setInterval(ask, every);
    document.addEventListener("visibilitychange", ask);
  };

  ready(() => {
    drafts();
    document.querySelectorAll("[data-refresh][id]").forEach(refresh);
    document.querySelectorAll("[data-back]").forEach((link) => {
      if (history.length < 2) return;
      link.hidden = false;
      link.addEventListener("click", (event) => { event.preventDefault(); history.back(); });
    });
    document.querySelectorAll("[data-print]").forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", () => window.print());
    });
    // An open menu closes when somebody turns to something else.
    document.addEventListener("click", (event) => document.querySelectorAll("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; }));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      document.querySelectorAll("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
    });
    // The first thing that is wrong is where the person is led.
    const wrong = document.querySelector("[aria-invalid=true]");
    if (wrong) wrong.focus();
  });
})();
