// What the reset script cannot do with the tools of POSIX, done with the Node that ran SPIKE. It travels inside the
// script, between single quotes, so there is none in it. Each call prints one word or one line for the shell to judge.
const crypto = require("node:crypto");
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const url = require("node:url");

const probeMs = 3000;
const storeName = "store.sqlite";
const lockName = "store.lock";

// The clear head of the store: fields of one byte kind, four bytes length, and their bytes; the fourth is the instance.
function instanceOfHead(head) {
  let at = 0;
  const next = () => {
    const length = head.readUInt32BE(at + 1);
    const field = head.subarray(at + 5, at + 5 + length);
    if (field.length !== length) throw new Error("the head of the store is cut off");
    at += 5 + length;
    return field;
  };
  if (next().toString() !== "spike/head") throw new Error("the store holds something else than SPIKE data");
  next();
  next();
  const instance = next().toString();
  if (!/^[A-Za-z0-9-]{8,64}$/.test(instance)) throw new Error("the store has no proper instance id");
  return instance;
}

// The instance that lies in this data directory; empty where there is none.
function instanceOfData(data) {
  const file = path.join(data, storeName);
  if (!fs.existsSync(file)) return "";
  const { DatabaseSync } = require("node:sqlite");
  const place = url.pathToFileURL(file);
  // Without a journal nothing has to be read from it, and a reader that promises so leaves no file behind.
  const journal = fs.statSync(`${file}-wal`, { throwIfNoEntry: false });
  if (journal === undefined || journal.size === 0) place.searchParams.set("immutable", "1");
  const database = new DatabaseSync(place, { readOnly: true });
  try {
    if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get("head") === undefined) return "";
    const row = database.prepare("SELECT bytes FROM head").get();
    return row === undefined ? "" : instanceOfHead(Buffer.from(row.bytes));
  } finally {
    database.close();
  }
}

// Of the anchor file: the instance that it names, "absent", or "damaged".
function instanceOfAnchor(file) {
  let text;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return "absent";
    throw error;
  }
  try {
    const instance = JSON.parse(text).instance;
    if (typeof instance === "string" && /^[A-Za-z0-9-]{8,64}$/.test(instance)) return instance;
  } catch {}
  return "damaged";
}

// "closed" only where the other side said so: silence, a name that is not known and a network that is down tell nothing.
function probe(host, port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: Number(port) });
    const say = (word) => {
      socket.destroy();
      resolve(word);
    };
    socket.setTimeout(probeMs, () => say("unknown (no answer)"));
    socket.once("connect", () => say("open"));
    socket.once("error", (error) => {
      const codes = (error.errors ?? [error]).map((each) => each.code);
      say(codes.every((code) => code === "ECONNREFUSED") ? "closed" : `unknown (${codes.join(", ")})`);
    });
  });
}

// Nexus holds this lock for as long as it runs, wherever it listens. Kept until this process ends.
function lockStore(data) {
  const { DatabaseSync } = require("node:sqlite");
  const database = new DatabaseSync(path.join(data, lockName), { timeout: 0 });
  database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  return database;
}

// The whole script again, by other means than the shell has used: one damaged byte cannot spoil both.
function assertWhole(script) {
  const bytes = fs.readFileSync(script);
  const end = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  const digest = crypto.createHash("sha256").update(bytes.subarray(0, end)).digest("hex");
  const last = bytes.subarray(end).toString("latin1");
  if (last !== `# checksum sha256 ${digest}, ${bytes.length} bytes\n`)
    throw new Error("the script is damaged");
}

function syncDirectory(directory) {
  const descriptor = fs.openSync(directory, "r");
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
}

// One rename(2), and never a copy: mv would make one where it cannot rename.
function move(from, to) {
  if (fs.lstatSync(to, { throwIfNoEntry: false }) !== undefined) throw new Error(`${to} is there already`);
  fs.renameSync(from, to);
  syncDirectory(path.dirname(from));
}

async function removeData(script, instance, from, to, ...addresses) {
  assertWhole(script);
  if (instanceOfData(from) !== instance) throw new Error("the data are of another instance");
  for (let at = 0; at < addresses.length; at += 2) {
    const word = await probe(addresses[at], addresses[at + 1]);
    if (word !== "closed") throw new Error(`something has started at ${addresses[at]}:${addresses[at + 1]}`);
  }
  const lock = lockStore(from);
  move(from, to);
  lock.close();
}

async function digestOf(file) {
  const hash = crypto.createHash("sha256");
  for await (const chunk of fs.createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}

// What is wrong with the backup; nothing is printed when it is the file that the script was made for.
async function flawOfBackup(file, size, digest, ...doomed) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return "it is not there";
  if (!stat.isFile()) return "it is no regular file";
  if (stat.size !== Number(size)) return `it has ${stat.size} bytes instead of ${size}`;
  const place = fs.realpathSync(file);
  for (const directory of doomed) {
    if (!fs.existsSync(directory)) continue;
    if (place.startsWith(fs.realpathSync(directory) + path.sep)) return "it lies in what is removed";
  }
  return (await digestOf(file)) === digest ? "" : "its SHA-256 is another one";
}

function ageOf(created) {
  const minutes = Math.floor((Date.now() - Date.parse(created)) / 60000);
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} hours` : `${Math.floor(minutes / 1440)} days`;
}

const calls = {
  instance: instanceOfData,
  anchor: instanceOfAnchor,
  probe,
  locked: (data) => {
    if (!fs.existsSync(path.join(data, lockName))) return "free";
    try {
      lockStore(data).close();
      return "free";
    } catch {
      return "held";
    }
  },
  move: (from, to) => move(from, to) ?? "",
  remove: async (...all) => (await removeData(...all)) ?? "",
  backup: flawOfBackup,
  age: ageOf,
};

// Without a script there is no second name before the arguments; in an executable there is.
const [call, ...words] = process.argv.slice(require("node:sea").isSea() ? 2 : 1);
Promise.resolve()
  .then(() => calls[call](...words))
  .then((answer) => process.stdout.write(`${answer}\n`))
  .catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
