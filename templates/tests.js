==> * <==
{{code}}

const cellblockChecks = { count: 0, failed: 0 };

function cellblockEqual(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Map || a instanceof Set) return cellblockEqual([...a], [...b]);
  if (a instanceof Date) return a.getTime() === b.getTime();
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && cellblockEqual(a[key], b[key]));
}

/** Says in a line of TAP whether `actual` is what was expected. */
function check(name, actual, expected) {
  cellblockChecks.count += 1;
  const good = cellblockEqual(actual, expected);
  if (!good) cellblockChecks.failed += 1;
  console.log(`${good ? "ok" : "not ok"} ${cellblockChecks.count} - ${name}`);
  if (!good) console.log(`# expected: ${JSON.stringify(expected)}\n# actual:   ${JSON.stringify(actual)}`);
}

{{tests}}

console.log(`1..${cellblockChecks.count}`);
process.exitCode = cellblockChecks.failed || !cellblockChecks.count ? 1 : 0;
