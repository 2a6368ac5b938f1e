/** Signed-in browsers: listed and signed out. */

import { fill, h } from "../../parts/dom.js";
import { icon } from "../../parts/icons.js";
import { errorNote, toast } from "../../parts/toast.js";
import { duration, moment } from "../../words.js";

/** Make the card of the sessions. */
export function sessionsCard(engine) {
  const list = h("ul", { class: "versions" });
  const draw = async () => {
    try {
      const sessions = await engine.sessions.list();
      fill(
        list,
        sessions.map((each) => row(engine, each, draw)),
      );
    } catch (error) {
      fill(list, h("li", {}, errorNote(error, draw)));
    }
  };
  draw();
  const whose =
    engine.role === "admin"
      ? "All browsers that are signed in to this server."
      : "The browsers that are signed in with your key.";
  return h(
    "section",
    { class: "card padded stack", "aria-labelledby": "sessions-title" },
    h(
      "div",
      {},
      h("h2", { id: "sessions-title" }, "Signed in"),
      h(
        "p",
        { class: "soft" },
        `${whose} A browser is signed out when it is not used for a while.`,
      ),
    ),
    list,
  );
}

function row(engine, session, again) {
  const used = session.current ? "this browser" : `used ${duration(session.idleSeconds)} ago`;
  const end = async () => {
    try {
      await engine.sessions.end(session.id);
      toast("The browser is signed out.", "leave");
      await again();
    } catch (error) {
      toast(error.message, "warn");
    }
  };
  return h(
    "li",
    {},
    h(
      "div",
      {},
      h("b", {}, `Key ${session.key}`),
      h(
        "p",
        { class: "soft little" },
        `since ${moment(session.created)}, from ${session.address}, ${used}`,
      ),
    ),
    session.current
      ? h("span", { class: "tag good" }, "this browser")
      : h(
          "button",
          {
            class: "button small",
            type: "button",
            "aria-label": `Sign out the browser at ${session.address} with the key ${session.key}`,
            on: { click: end },
          },
          icon("leave"),
          "Sign out",
        ),
  );
}
