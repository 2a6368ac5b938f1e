/** People who are kept in this browser only: saved to a file, read from one, forgotten. */

import { confirm } from "../parts/dialog.js";
import { fill, h } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { choose } from "../photos.js";
import { errorNote, toast } from "../parts/toast.js";
import { count } from "../words.js";

const FILE = "people.mien.json";

/** Make the card; `again` draws the view anew after a change. */
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
        added
          ? `Learned from ${count(added, "photo")} of the file.`
          : "All of them were here already.",
      );
      await again();
    });
  const forget = () =>
    run(async () => {
      const sure = await confirm({
        title: "Forget everybody you added?",
        text: "Their names and all that was learned of their faces are deleted from this browser. The people that the recognizer came with stay.",
        yes: "Forget them",
      });
      if (!sure) return;
      await people.forgetAll();
      toast("Everybody you added is forgotten.");
      await again();
    });
  const button = (says, mark, act) =>
    h("button", { class: "button", type: "button", on: { click: act } }, icon(mark), says);
  return h(
    "section",
    { class: "card padded stack people-kept" },
    h(
      "div",
      {},
      h("h2", {}, "Kept in this browser only"),
      h(
        "p",
        { class: "soft" },
        "Whom you add here, no other browser knows. Save them to a file to have them elsewhere: it holds names and the numbers that stand for faces, no photos. Keep it as you would keep photos.",
      ),
    ),
    h(
      "div",
      { class: "acts" },
      button("Save to a file", "down", save),
      button("Read from a file", "plus", load),
      button("Forget everybody", "trash", forget),
    ),
    trouble,
  );
}
