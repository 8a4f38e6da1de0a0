/* What pages about accounts need of JavaScript: it brings along what stands in the link of a letter, asks authenticators
   for passkeys, and opens a window at a provider of OAuth2. Everything else on them works without it.

   <input type="hidden" name="token">            takes what is behind the # of the address, which no server is sent
   <form data-passkey="use" data-options="URL">  is sent once an authenticator has signed what URL asks it to
   <form data-passkey="make" data-options="URL"> is sent once an authenticator has made a passkey
   <form data-oauth2="NAME" data-options="URL">  is sent once the window of a provider has brought a code */
(() => {
  "use strict";

  const brought = /^#[\w.~-]{20,}$/.test(location.hash) ? location.hash.slice(1) : "";
  const places = [...document.querySelectorAll('input[type="hidden"][name="token"]')];
  if (brought && places.length) {
    for (const place of places) place.value ||= brought;
    history.replaceState(null, "", location.pathname + location.search);
  }

  function say(form, text) {
    let place = form.querySelector("[data-said]");
    if (!place) {
      place = document.createElement("div");
      place.className = "notice bad";
      place.dataset.said = "";
      place.setAttribute("role", "alert");
      form.prepend(place);
    }
    place.replaceChildren(Object.assign(document.createElement("p"), { textContent: text }));
    place.hidden = !text;
  }

  async function ask(url, body) {
    const sent = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(url, sent);
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.message || "The server cannot be asked just now. Please try again.");
    return told;
  }

  async function use(options) {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return navigator.credentials.get({ publicKey });
  }

  async function make(options) {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return navigator.credentials.create({ publicKey });
  }

  async function submit(event) {
    const form = event.target;
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    say(form, "");
    try {
      const mfaId = form.elements.mfaId?.value;
      const options = await ask(form.dataset.options, mfaId ? { mfaId } : {});
      const credential = await (form.dataset.passkey === "make" ? make : use)(options);
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      const texts = {
        NotAllowedError: "No passkey was used.",
        AbortError: "No passkey was used.",
        InvalidStateError: "This device has a passkey for you already.",
        SecurityError: "The passkeys of this site do not work at this address of it.",
      };
      say(form, texts[error.name] ?? error.message);
      button.disabled = false;
    }
  }

  /* Providers: their window is sent back to the server, which tells it to the connection whose id is the state. */

  function connect() {
    const source = new EventSource("/api/realtime");
    return new Promise((resolve, reject) => {
      source.addEventListener("PB_CONNECT", (event) => resolve([source, event.lastEventId]));
      source.onerror = () => reject(new Error("The server cannot be asked just now. Please try again."));
    });
  }

  function comeBack(source) {
    return new Promise((resolve) => source.addEventListener("@oauth2", (event) => resolve(JSON.parse(event.data))));
  }

  async function goThere(event) {
    const form = event.target;
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    const opened = window.open("", "_blank", "popup,width=1024,height=768"); // at once, or browsers block it
    let source;
    button.disabled = true;
    say(form, "");
    try {
      if (!opened) throw new Error("Your browser let no window open. Please allow it for this site.");
      const { oauth2 } = await ask(form.dataset.options);
      const provider = oauth2.providers.find(({ name }) => name === form.dataset.oauth2);
      const redirectURL = new URL("/api/oauth2-redirect", location.href).href;
      let state;
      [source, state] = await connect();
      await tell(state);
      const url = new URL(provider.authURL + encodeURIComponent(redirectURL));
      url.searchParams.set("state", state);
      opened.location.href = url.href;
      setTimeout(() => (button.disabled = false), 3000); // whether its window was closed no page can tell for sure
      const told = await comeBack(source);
      if (told.state !== state || !told.code) throw new Error("You are not signed in there, or said no.");
      Object.assign(form.elements.code, { value: told.code });
      form.elements.codeVerifier.value = provider.codeVerifier;
      form.elements.redirectURL.value = redirectURL;
      form.submit();
    } catch (error) {
      opened?.close();
      say(form, error.message);
      button.disabled = false;
    } finally {
      source?.close();
    }
  }

  async function tell(clientId) {
    const body = JSON.stringify({ clientId, subscriptions: ["@oauth2"] });
    const answer = await fetch("/api/realtime", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (!answer.ok) throw new Error("The server cannot be asked just now. Please try again.");
  }

  for (const form of document.querySelectorAll("form[data-oauth2]")) form.addEventListener("submit", goThere);
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (window.PublicKeyCredential?.parseRequestOptionsFromJSON) form.addEventListener("submit", submit);
    else say(form, "This browser does not know passkeys. Please take another way, or a newer browser.");
  }
})();
