/* What pages about accounts need of JavaScript: it brings along what stands in the link of a letter, and it asks
   authenticators for passkeys. Everything else on them works without it.

   <input type="hidden" name="token">            takes what is behind the # of the address, which no server is sent
   <form data-passkey="use" data-options="URL">  is sent once an authenticator has signed what URL asks it to
   <form data-passkey="make" data-options="URL"> is sent once an authenticator has made a passkey */
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
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
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

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (window.PublicKeyCredential?.parseRequestOptionsFromJSON) form.addEventListener("submit", submit);
    else say(form, "This browser does not know passkeys. Please take another way, or a newer browser.");
  }
})();
