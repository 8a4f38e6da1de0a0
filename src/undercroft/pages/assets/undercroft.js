/* What Undercroft's pages gain where JavaScript runs: forms that answer at once, uploads
   with progress, and parts of a page that are fetched alone. Everything works without it.

   <form data-undercroft-form>            made by form(...): checked while one types, sent by fetch
   <form data-swap="#list" method="get">  asked again while one types; the part takes the place of #list
   <a data-swap="#list" href="...">       the same for a link
   <div data-poll="10" data-swap="#list"> asked again every 10 seconds, while somebody looks
   <div data-live="briefs" data-swap="#list"> asked again when a record of the collection changes

   const stop = undercroft.subscribe("posts/*", ({ action, record, position }) => ..., { filter: "views > 9" })
   tells what happens to records: `create`, `update`, `delete`. What is missed while a connection is lost is told
   when it is back; `resync` asks to read anew what is shown. With `since`, a `position`, it begins there. */
(() => {
  "use strict";

  const texts = {
    valueMissing: () => "Cannot be blank.",
    tooShort: (input) => `Must be at least ${input.minLength} character(s).`,
    tooLong: (input) => `Must be no more than ${input.maxLength} character(s).`,
    patternMismatch: () => "Invalid value format.",
    rangeUnderflow: (input) => `Must be greater or equal than ${input.min}.`,
    rangeOverflow: (input) => `Must be less or equal than ${input.max}.`,
    stepMismatch: () => "Decimal numbers are not allowed.",
    badInput: (input) => (input.type === "number" ? "Must be a number." : "Must be a valid date."),
    typeMismatch: (input) => (input.type === "email" ? "Must be a valid email address." : "Must be a valid URL."),
  };

  const megabytes = (bytes) => `${Math.round(bytes / 104857.6) / 10} MB`;

  function complaintAbout(input) {
    if (input.type === "file") return complaintAboutFiles(input);
    const state = Object.keys(texts).find((name) => input.validity[name]);
    return state ? texts[state](input) : "";
  }

  function complaintAboutFiles(input) {
    const { maxFiles, maxSize } = input.dataset;
    const files = [...input.files];
    if (input.required && !files.length) return texts.valueMissing();
    if (maxFiles && files.length > Number(maxFiles)) return `The maximum allowed files is ${maxFiles}.`;
    const big = maxSize && files.find((file) => file.size > Number(maxSize));
    return big ? `"${big.name}" is larger than ${megabytes(Number(maxSize))}.` : "";
  }

  /* Forms */

  const fieldOf = (input) => input.closest("[data-field]");

  function show(field, text) {
    const place = field && field.querySelector(".error");
    if (!place) return;
    place.textContent = text;
    place.hidden = !text;
    for (const input of field.querySelectorAll("input, select, textarea")) {
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
  }

  function check(input) {
    const field = fieldOf(input);
    if (!field) return true;
    const chosen = field.querySelectorAll("input:checked").length;
    const isTooMany = field.dataset.max && chosen > Number(field.dataset.max);
    const text = isTooMany ? `Select no more than ${field.dataset.max}.` : complaintAbout(input);
    show(field, text);
    return !text;
  }

  function sayAbove(form, text) {
    let place = form.querySelector("[data-summary]");
    if (!place) {
      place = document.createElement("div");
      place.className = "notice bad";
      place.dataset.summary = "";
      place.tabIndex = -1;
      place.setAttribute("role", "alert");
      form.prepend(place);
    }
    place.replaceChildren(Object.assign(document.createElement("p"), { textContent: text }));
    place.hidden = !text;
    return place;
  }

  function send(form, tell) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch cannot tell how far an upload has come
      request.open("POST", form.action);
      request.setRequestHeader("Accept", "application/json");
      request.upload.addEventListener("progress", (event) => event.lengthComputable && tell(event.loaded / event.total));
      request.addEventListener("load", () => resolve(request));
      request.addEventListener("error", () => reject(new Error("The server cannot be reached. Nothing was sent; try again.")));
      request.send(new FormData(form));
    });
  }

  function parse(text) {
    try {
      return JSON.parse(text);
    } catch {
      return {};
    }
  }

  async function submit(event) {
    const form = event.target;
    event.preventDefault();
    const wrong = [...form.elements].filter((input) => input.name && !check(input));
    if (wrong.length) {
      sayAbove(form, "Please look at what is marked below.");
      wrong[0].focus();
      return;
    }
    const button = form.querySelector("[type=submit]");
    const progress = form.querySelector("progress");
    const hasFiles = [...form.querySelectorAll("[type=file]")].some((input) => input.files.length);
    button.disabled = true;
    try {
      await answer(form, await send(form, (part) => {
        if (progress && hasFiles) Object.assign(progress, { hidden: false, value: part * 100 });
      }));
    } catch (error) {
      sayAbove(form, error.message).focus();
    } finally {
      button.disabled = false;
      if (progress) progress.hidden = true;
    }
  }

  async function answer(form, request) {
    const told = parse(request.responseText);
    if (told.location) {
      window.location.assign(told.location);
      return;
    }
    if (told.code === "form_expired") {
      form.submit(); // the page is drawn anew, with what was typed
      return;
    }
    const errors = told.data || {};
    for (const field of form.querySelectorAll("[data-field]")) {
      const error = errors[field.dataset.field];
      show(field, error ? error.message : "");
    }
    const summary = sayAbove(form, told.message || "That did not work. Please try again.");
    const first = form.querySelector("[aria-invalid=true]");
    (first || summary).focus();
  }

  // The browser's own bubbles would come first, one at a time; ours stand beside their fields.
  const takeOver = (form) => form?.matches("[data-undercroft-form]") && (form.noValidate = true);
  document.querySelectorAll("[data-undercroft-form]").forEach(takeOver);
  document.addEventListener("focusin", (event) => takeOver(event.target.form));
  document.addEventListener("submit", (event) => event.target.matches("[data-undercroft-form]") && submit(event));
  document.addEventListener("focusout", (event) => {
    const input = event.target;
    if (input.matches?.("[data-undercroft-form] :is(input, select, textarea)") && (input.value || input.ariaInvalid)) check(input);
  });
  document.addEventListener("input", (event) => {
    const input = event.target;
    if (input.matches?.("[data-undercroft-form] [aria-invalid=true]")) check(input);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-undercroft-form] :is([type=file], [type=checkbox], select)")) check(event.target);
  });

  /* Parts of a page */

  const asked = new WeakMap();

  async function swap(element, url, isQuiet = Boolean(element.dataset.poll)) {
    const target = document.querySelector(element.dataset.swap);
    if (!target) return true;
    if (isQuiet && target.hasAttribute("aria-busy")) return false; // what somebody asked for comes first
    asked.get(target)?.abort();
    const control = new AbortController();
    asked.set(target, control);
    const whole = new URL(url, window.location.href);
    whole.searchParams.set("_block", element.dataset.block || target.id);
    target.setAttribute("aria-busy", "true");
    try {
      const got = await fetch(whole, { headers: { "HX-Request": "true" }, signal: control.signal });
      if (!got.ok) throw new Error(got.statusText);
      const made = document.createElement("template"); // writes it as the page does
      made.innerHTML = await got.text();
      if (target.innerHTML.trim() !== made.innerHTML.trim()) target.innerHTML = made.innerHTML;
      target.dispatchEvent(new CustomEvent("swapped", { bubbles: true }));
      return true;
    } catch (error) {
      if (error.name !== "AbortError" && !isQuiet) window.location.assign(url);
      return false;
    } finally {
      if (asked.get(target) === control) target.removeAttribute("aria-busy");
    }
  }

  function addressOf(form) {
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    const query = new URLSearchParams(filled).toString();
    return form.action.split("?")[0] + (query ? `?${query}` : "");
  }

  function ask(form) {
    const url = addressOf(form);
    window.history.replaceState(null, "", url);
    return swap(form, url);
  }

  let waiting;
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form?.matches("form[data-swap]")) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => ask(form), event.target.matches("select, [type=date]") ? 0 : 150);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-swap]:not([method=post])")) return;
    event.preventDefault();
    clearTimeout(waiting);
    ask(event.target);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-swap]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    window.history.pushState(null, "", link.href);
    swap(link, link.href);
  });
  for (const element of document.querySelectorAll("[data-poll]")) {
    setInterval(() => {
      if (!document.hidden) swap(element, window.location.href);
    }, Number(element.dataset.poll) * 1000);
  }

  /* Live updates */

  class Stream {
    constructor(since = "") {
      this.place = since;
      this.handlers = new Map();
      this.pause = 500;
      this.ready = new Promise((tell) => {
        this.tellReady = tell;
      });
      this.open();
    }

    open() {
      this.id = "";
      this.heard = new Set();
      this.source = new EventSource(`/api/realtime?since=${encodeURIComponent(this.place)}`);
      this.on("PB_CONNECT", (event) => {
        this.id = JSON.parse(event.data).clientId;
        this.wish();
      });
      this.on("resync", () => this.tell([...this.handlers.values()].flatMap((found) => [...found]), { action: "resync" }));
      for (const topic of this.handlers.keys()) this.hear(topic);
      // A browser comes back by itself, with its place, except from an answer that is no stream.
      this.source.addEventListener("error", () => this.source.readyState === EventSource.CLOSED && this.again());
    }

    on(name, act) {
      this.source.addEventListener(name, (event) => {
        this.place = event.lastEventId || this.place;
        act(event);
      });
    }

    hear(topic) {
      if (this.heard.has(topic)) return;
      this.heard.add(topic);
      this.on(topic, (event) => this.tell([...(this.handlers.get(topic) || [])], JSON.parse(event.data)));
    }

    tell(handlers, told) {
      for (const handler of handlers) handler({ ...told, position: this.place });
    }

    again() {
      this.source.close();
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.handlers.size && this.open(), this.pause * (1 + Math.random()));
      this.pause = Math.min(this.pause * 2, 30000);
    }

    async wish() {
      const { id } = this;
      try {
        const answer = await fetch("/api/realtime", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ clientId: id, subscriptions: [...this.handlers.keys()] }),
        });
        if (answer.ok) {
          this.pause = 500;
          this.tellReady();
        } else if (id === this.id) this.again();
      } catch {
        if (id === this.id) this.again();
      }
    }

    add(topic, handler) {
      const known = this.handlers.get(topic);
      if (known) {
        known.add(handler);
        return;
      }
      this.handlers.set(topic, new Set([handler]));
      this.hear(topic);
      if (this.id) this.wish();
    }

    remove(topic, handler) {
      const known = this.handlers.get(topic);
      if (!known?.delete(handler) || known.size) return;
      this.handlers.delete(topic);
      if (!this.handlers.size) this.close();
      else if (this.id) this.wish();
    }

    close() {
      clearTimeout(this.waiting);
      this.source.close();
      if (shared === this) shared = null;
    }
  }

  let shared = null;

  function subscribe(topic, handler, { since, ...query } = {}) {
    const stream = since === undefined ? (shared ||= new Stream()) : new Stream(String(since));
    const options = Object.keys(query).length ? `?options=${encodeURIComponent(JSON.stringify({ query }))}` : "";
    stream.add(topic + options, handler);
    return () => stream.remove(topic + options, handler);
  }

  // What changed between the making of the page and the moment from which it is told of changes.
  async function catchUp(element, tries = 5) {
    if (await swap(element, window.location.href, true)) return;
    if (tries > 1) setTimeout(() => catchUp(element, tries - 1), 3000);
  }

  for (const element of document.querySelectorAll("[data-live]")) {
    let soon;
    subscribe(`${element.dataset.live}/*`, () => {
      clearTimeout(soon);
      soon = setTimeout(() => swap(element, window.location.href), 100); // many changes at once are shown at once
    });
    shared.ready.then(() => catchUp(element));
  }

  window.undercroft = { swap, subscribe };
})();
