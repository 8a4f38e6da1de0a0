// Live updates by the published SDK, in Node with the package that gives it EventSource, or in a browser.
export async function listen({ default: PocketBase, BaseAuthStore }, url, [email, password]) {
  const [root, ann, guest] = [1, 2, 3].map(() => new PocketBase(url, new BaseAuthStore()));
  for (const client of [root, ann, guest]) client.autoCancellation(false);
  await root.collection("_superusers").authWithPassword(email, password);
  const owner = { name: "owner", type: "relation", collectionId: "_pb_users_auth_", maxSelect: 1 };
  const fields = [{ name: "title", type: "text" }, { name: "n", type: "number" }, owner];
  await root.collections.create({ name: "notes", type: "base", listRule: "", viewRule: "owner = @request.auth.id", fields });
  const secret = { password: "sea-and-stone-7", passwordConfirm: "sea-and-stone-7" };
  const user = await root.collection("users").create({ email: "ann@example.com", name: "Ann", ...secret });
  await ann.collection("users").authWithPassword("ann@example.com", secret.password);

  const heard = { all: [], filtered: [], one: [], guest: [] };
  const note = await root.collection("notes").create({ title: "first", owner: user.id });
  const notes = ann.collection("notes");
  await notes.subscribe("*", (event) => heard.all.push([event.action, event.record.title]));
  await notes.subscribe("*", (event) => heard.filtered.push([event.record.title, event.record.expand.owner.name]), {
    filter: "n > 5", expand: "owner", fields: "title,expand.owner.name",
  });
  await notes.subscribe(note.id, (event) => heard.one.push(event.action));
  await guest.collection("notes").subscribe(note.id, (event) => heard.guest.push(event.action));

  const until = async (holds) => {
    for (let tries = 0; !holds(); tries++) {
      if (tries > 400) throw new Error(`Not heard: ${JSON.stringify(heard)}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };
  await root.collection("notes").update(note.id, { title: "second", n: 9 });
  await root.collection("notes").delete(note.id);
  await until(() => heard.all.length === 2 && heard.filtered.length === 2 && heard.one.length === 2);
  await notes.unsubscribe("*");
  await root.collection("notes").create({ title: "unheard", n: 9 });
  await guest.collection("notes").subscribe("*", (event) => heard.guest.push(event.record.title));
  await root.collection("notes").create({ title: "last" });
  await until(() => heard.guest.length === 1);
  for (const client of [ann, guest]) await client.realtime.unsubscribe();
  return heard;
}
