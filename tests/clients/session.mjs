// A day with the published SDK: everything a front end does, each step checked.
import assert from "node:assert/strict";
import PocketBase, { ClientResponseError } from "pocketbase";

const [url, email, password] = process.argv.slice(2);
const steps = {
  async "signs in as superuser and makes collections"(s) {
    await s.root.collection("_superusers").authWithPassword(email, password);
    assert.ok(s.root.authStore.isValid && s.root.authStore.isSuperuser);
    const open = { listRule: "", viewRule: "" };
    const authors = await s.root.collections.create({ name: "authors", type: "base", ...open, fields: [{ name: "name", type: "text" }] });
    await s.root.collections.create({
      name: "poems",
      type: "base",
      ...open,
      createRule: "@request.auth.id != ''",
      updateRule: "owner = @request.auth.id",
      deleteRule: "owner = @request.auth.id",
      fields: [
        { name: "title", type: "text", required: true },
        { name: "lines", type: "number" },
        { name: "written", type: "date" },
        { name: "tags", type: "select", maxSelect: 3, values: ["sea", "city", "night"] },
        { name: "author", type: "relation", collectionId: authors.id, maxSelect: 1 },
        { name: "owner", type: "relation", collectionId: "_pb_users_auth_", maxSelect: 1 },
        { name: "created", type: "autodate", onCreate: true },
      ],
    });
    assert.deepEqual((await s.root.collections.getFullList({ filter: 'name = "poems"' })).map((c) => c.name), ["poems"]);
  },
  async "creates an account and signs in with it"(s) {
    const secret = { password: "sea-and-stone-7", passwordConfirm: "sea-and-stone-7" };
    s.user = await s.guest.collection("users").create({ email: "ada@example.com", name: "Ada", ...secret });
    const answer = await s.ada.collection("users").authWithPassword("ada@example.com", secret.password);
    assert.equal(answer.record.id, s.user.id);
    assert.equal(answer.record.email, "ada@example.com");
    assert.ok(s.ada.authStore.isValid && !s.ada.authStore.isSuperuser);
    await s.ada.collection("users").authRefresh();
    assert.equal((await s.ada.collection("users").listAuthMethods()).password.enabled, true);
  },
  async "creates records"(s) {
    const author = await s.root.collection("authors").create({ name: "Ōtomo" });
    for (const [title, lines, tags] of [["Harbour", 14, ["sea", "night"]], ["O'Hara's \"Street\"", 9, ["city"]], ["Tide", 20, ["sea"]]]) {
      const made = await s.ada.collection("poems").create({ title, lines, tags, author: author.id, owner: s.user.id, written: new Date("2024-05-01T10:00:00Z") });
      assert.equal(made.written, "2024-05-01 10:00:00.000Z");
      assert.deepEqual(made.tags, tags);
      s.poems[title] = made;
    }
  },
  async "lists with a filter built by pb.filter, sorts and expands"(s) {
    const poems = s.guest.collection("poems");
    const page = await poems.getList(1, 2, { filter: s.guest.filter("lines > {:least} && tags:each ?= {:tag}", { least: 10, tag: "sea" }), sort: "-lines", expand: "author" });
    assert.deepEqual(page.items.map((poem) => poem.title), ["Tide", "Harbour"]);
    assert.deepEqual([page.page, page.perPage, page.totalItems, page.totalPages], [1, 2, 2, 1]);
    assert.equal(page.items[0].expand.author.name, "Ōtomo");
    const quoted = await poems.getFirstListItem(s.guest.filter("title = {:title}", { title: "O'Hara's \"Street\"" }));
    assert.equal(quoted.lines, 9);
    const since = await poems.getFullList({ filter: s.guest.filter("written <= {:day}", { day: new Date("2024-05-01T10:00:00Z") }), fields: "id" });
    assert.equal(since.length, 3);
    assert.deepEqual(Object.keys(since[0]), ["id"]);
    const back = await s.guest.collection("authors").getFullList({ expand: "poems_via_author" });
    assert.equal(back[0].expand.poems_via_author.length, 3);
  },
  async "updates with modifiers"(s) {
    const changed = await s.ada.collection("poems").update(s.poems.Tide.id, { "lines+": 2, "tags+": "night", title: "High tide" });
    assert.deepEqual([changed.lines, changed.tags, changed.title], [22, ["sea", "night"], "High tide"]);
    const own = await s.ada.collection("users").update(s.user.id, { name: "Ada L." });
    assert.equal(s.ada.authStore.record.name, own.name);
  },
  async "gets errors that say what was wrong"(s) {
    const refused = async (work, status, field) => {
      const error = await work.then(() => assert.fail("was not refused"), (problem) => problem);
      assert.ok(error instanceof ClientResponseError, String(error));
      assert.equal(error.status, status);
      if (field) assert.ok(error.response.data[field].code, JSON.stringify(error.response));
    };
    await refused(s.ada.collection("poems").create({ lines: 1 }), 400, "title");
    await refused(s.guest.collection("poems").create({ title: "x" }), 400);
    await refused(s.guest.collection("poems").update(s.poems.Tide.id, { title: "x" }), 404);
    await refused(s.guest.collection("poems").getOne("missing00000000"), 404);
    await refused(s.guest.collection("poems").getList(1, 1, { filter: "nonsense = 1" }), 400);
    await refused(s.guest.collections.getList(), 401);
    await refused(s.ada.collections.getList(), 403);
    await refused(s.guest.collection("users").authWithPassword("ada@example.com", "wrong"), 400);
  },
  async "sends a batch"(s) {
    await s.root.settings.update({ batch: { enabled: true } });
    const batch = s.root.createBatch();
    batch.collection("authors").create({ id: "batchauthor0001", name: "One" });
    batch.collection("authors").upsert({ id: "batchauthor0001", name: "Two" });
    batch.collection("poems").update(s.poems.Harbour.id, { lines: 1 });
    const answers = await batch.send();
    assert.deepEqual(answers.map((answer) => answer.status), [200, 200, 200]);
    assert.equal(answers[1].body.name, "Two");
  },
  async "deletes, and is signed out with its account"(s) {
    assert.equal(await s.ada.collection("poems").delete(s.poems.Tide.id), true);
    await s.ada.collection("users").delete(s.user.id);
    assert.equal(s.ada.authStore.isValid, false);
    const left = await s.guest.collection("poems").getFullList();
    assert.deepEqual(left.map((poem) => poem.owner), ["", ""]);
  },
};

const session = { root: new PocketBase(url), ada: new PocketBase(url), guest: new PocketBase(url), poems: {} };
for (const [name, step] of Object.entries(steps)) {
  await step(session);
  console.log(`ok ${name}`);
}
