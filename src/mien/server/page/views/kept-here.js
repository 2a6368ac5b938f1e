/** People stored in this browser only: export, import, forget all. */

import { confirm } from "../parts/dialog.js";
import { fill, h } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { choose } from "../photos.js";
import { errorNote, toast } from "../parts/toast.js";
import { count } from "../words.js";

const FILE = "people.mien.json";

/** Make the card; `again` redraws the view after a change. */
export function keptHere(people, again) {
  const trouble = h("div");
  const run = async (act) => {
    fill(trouble);
    try {
      await act();
    } catch (error) {
      fill(trouble, errorNote(error));
    }
  };
  const save = () =>
    run(async () => {
      const address = URL.createObjectURL(await people.exported());
      h("a", { href: address, download: FILE }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    });
  const load = () =>
    run(async () => {
      const [chosen] = await choose({ accept: ".json,application/json", multiple: false });
      if (!chosen) return;
      const added = await people.imported(chosen.file);
      toast(
        added ? `Added ${count(added, "photo")} from the file.` : "All of them were already here.",
      );
      await again();
    });
  const forget = () =>
    run(async () => {
      const sure = await confirm({
        title: "Forget all people you added?",
        text: "Their names and face embeddings are deleted from this browser. The people of the recognizer itself stay.",
        yes: "Forget them",
      });
      if (!sure) return;
      await people.forgetAll();
      toast("All people you added are forgotten.");
      await again();
    });
  const button = (label, mark, act) =>
    h("button", { class: "button", type: "button", on: { click: act } }, icon(mark), label);
  return h(
    "section",
    { class: "card padded stack people-kept" },
    h(
      "div",
      {},
      h("h2", {}, "Stored in this browser only"),
      h(
        "p",
        { class: "soft" },
        "The people you add here are known in this browser only. Save them to a file to use them elsewhere: it contains names and face embeddings, but no photos. Protect it as you would protect photos.",
      ),
    ),
    h(
      "div",
      { class: "acts" },
      button("Save to a file", "down", save),
      button("Read from a file", "plus", load),
      button("Forget all people", "trash", forget),
    ),
    trouble,
  );
}
