const message =
  "domain time comes through the Clock port (design: two times); liveness uses performance.now(). Pass the instant in";

/** What `Date` may still be used for: turning an instant that somebody passed in into another form. */
const harmless = new Set(["parse", "UTC", "prototype"]);

/**
 * Reports reading the wall clock: `Date.now`, `new Date()`, `Date()`, `Temporal.Now`, also when taken from `globalThis`
 * or by destructuring. A run must behave the same under the virtual clock, which it cannot if it looks elsewhere.
 */
export const wallClock = {
  meta: { type: "problem", docs: { description: "no wall clock outside the clock adapter" } },
  create(/** @type {any} */ context) {
    const report = (/** @type {any} */ node) => context.report({ node, message });
    return {
      NewExpression(/** @type {any} */ node) {
        if (isNamed(node.callee, "Date") && node.arguments.length === 0) report(node);
      },
      CallExpression(/** @type {any} */ node) {
        if (isNamed(node.callee, "Date")) report(node);
      },
      MemberExpression(/** @type {any} */ node) {
        const name = node.computed ? node.property.value : node.property.name;
        if (isNamed(node.object, "Date") && !harmless.has(name)) report(node);
        if (isNamed(node.object, "Temporal") && name === "Now") report(node);
      },
      VariableDeclarator(/** @type {any} */ node) {
        if (node.init && (isNamed(node.init, "Date") || isNamed(node.init, "Temporal"))) report(node);
      },
    };
  },
};

/** Is this expression the global of that name, bare or as a member of `globalThis`? */
function isNamed(/** @type {any} */ node, /** @type {string} */ name) {
  if (node.type === "Identifier") return node.name === name;
  return node.type === "MemberExpression" && node.object.name === "globalThis" && node.property.name === name;
}
