import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { learnPlaces, searchWritten } from '../known/place.ts';
import { runAtTerminal, type Line, type Screen } from '../terminal.ts';
import { openScratch, runProgram, until, type Outcome } from '../system.ts';

/** A machine boots in seconds; one that does other things takes longer. */
const bootMs = 180_000;
const bridge = 'lab0';

/** In a mount namespace of its own: control groups as systemd wants them. */
const mountGroups = `if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
  umount -R /sys/fs/cgroup
  mount -t cgroup2 none /sys/fs/cgroup
fi`;

/**
 * Machines with a systemd and a network of their own, on this one: containers whose files are this machine's, with what
 * they change kept apart. Needs root and systemd-nspawn; nothing of it is left behind, and nothing leaves it.
 */
export class Laboratory implements AsyncDisposable {
  readonly machines: ReadonlyMap<string, Machine>;
  readonly #resources: AsyncDisposableStack;

  private constructor(machines: ReadonlyMap<string, Machine>, resources: AsyncDisposableStack) {
    this.machines = machines;
    this.#resources = resources;
  }

  /** Machines that find each other by these names. `shared` are folders of this machine that all see, read-only. */
  static async open(names: readonly string[], shared: Readonly<Record<string, string>>): Promise<Laboratory> {
    await using stack = new AsyncDisposableStack();
    const scratch = stack.use(await openScratch());
    const network = stack.use(await Network.open());
    const hosts = names.map((name, index) => `${addressOf(index)} ${name}\n`).join('');
    const machines = new Map<string, Machine>();
    // One after the other: each gets the next address.
    for (const [index, name] of names.entries()) {
      const directory = join(scratch.path, name);
      const machine = stack.use(await Machine.boot(name, { directory, network, shared }));
      await machine.must(
        `printf '127.0.0.1 localhost\\n${hosts.replaceAll('\n', String.raw`\n`)}' > /etc/hosts
         ip address add ${addressOf(index)}/24 dev host0
         ip link set host0 up`,
      );
      machines.set(name, machine);
    }
    return new Laboratory(machines, stack.move());
  }

  machine(name: string): Machine {
    const machine = this.machines.get(name);
    assert(machine !== undefined, `there is no machine ${name}`);
    return machine;
  }

  /** As somebody does who has both machines at hand. */
  async copy(
    from: readonly [machine: string, path: string],
    to: readonly [machine: string, path: string],
  ): Promise<void> {
    const content = await this.machine(from[0]).must(`cat '${from[1]}'`);
    const outcome = await this.machine(to[0]).run(`cat > '${to[1]}'`, { input: content });
    assert.equal(outcome.code, 0, outcome.stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _resources = this.#resources;
    // What one of them keeps may have leaked on another.
    for (const machine of this.machines.values()) await machine.learnSecrets();
    for (const machine of this.machines.values()) await machine.searchForLeaks();
  }
}

const addressOf = (index: number): string => `10.77.0.${index + 1}`;

/** A network of its own, which nothing leaves, for as long as its process lives. */
class Network implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async open(): Promise<Network> {
    const script = `ip link add ${bridge} type bridge && ip link set ${bridge} up && echo up && exec sleep infinity`;
    const child = spawnBound(['unshare', '--net', 'sh', '-c', script]);
    let said = '';
    child.stdout?.on('data', (chunk) => (said += String(chunk)));
    child.stderr?.on('data', (chunk) => (said += String(chunk)));
    const network = new Network(child);
    try {
      await until('there is a network', () => {
        assert.equal(child.exitCode, null, `the network of the machines needs root and iproute2: ${said}`);
        return said.includes('up');
      });
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
  }
}

interface MachineOptions {
  readonly directory: string;
  readonly network: Network;
  readonly shared: Readonly<Record<string, string>>;
}

export class Machine implements AsyncDisposable {
  readonly name: string;
  readonly #container: ChildProcess;
  /** What is called after it outside of it: its control group, and files of systemd-nspawn. */
  readonly #unique: string;
  readonly #upper: string;
  /** The first process of the machine, as this one sees it. */
  #leader = 0;

  private constructor(name: string, container: ChildProcess, unique: string, upper: string) {
    this.name = name;
    this.#container = container;
    this.#unique = unique;
    this.#upper = upper;
  }

  static async boot(name: string, { directory, network, shared }: MachineOptions): Promise<Machine> {
    const [upper, work, root] = [join(directory, 'upper'), join(directory, 'work'), join(directory, 'root')];
    await mkdir(directory, { recursive: true });
    const unique = `spike-${process.pid}-${name}`;
    const binds = Object.entries(shared).map(([to, from]) => `--bind-ro='${from}:${to}'`);
    const nspawn = [
      `exec env UNIFIED_CGROUP_HIERARCHY=1 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --directory='${root}'`,
      `--machine='${unique}' --hostname='${name}' --uuid="$(cat /proc/sys/kernel/random/uuid)" --register=no --keep-unit --boot --console=pipe`,
      `--network-bridge=${bridge} --link-journal=no --resolv-conf=off --timezone=off ${binds.join(' ')}`,
      'systemd.unit=multi-user.target systemd.show_status=no',
    ].join(' ');
    const script = `set -e
mount --make-rprivate /
${mountGroups}
mkdir -p '/sys/fs/cgroup/${unique}/own' '${upper}' '${work}' '${root}'
echo $$ > '/sys/fs/cgroup/${unique}/own/cgroup.procs'
mount -t overlay overlay -o 'lowerdir=/,upperdir=${upper},workdir=${work}' '${root}'
# Neither who this machine is nor its services belong to a new one.
: > '${root}/etc/machine-id'
echo '${name}' > '${root}/etc/hostname'
rm -rf '${root}/etc/systemd/system/multi-user.target.wants'
${nspawn}`;
    const inNetwork = ['nsenter', `--net=/proc/${network.pid}/ns/net`];
    // The first process of a namespace takes all others in it along.
    const alone = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const container = spawnBound([...inNetwork, ...alone, 'sh', '-c', script]);
    let said = '';
    for (const stream of [container.stdout, container.stderr])
      stream?.on('data', (chunk) => (said = (said + String(chunk)).slice(-8_192)));
    const machine = new Machine(name, container, unique, upper);
    try {
      await until(
        `the machine ${name} has booted`,
        async () => {
          assert.equal(container.exitCode, null, `${name} needs root and systemd-nspawn:\n${said}`);
          machine.#leader = await findFirst(container.pid ?? 0);
          if (machine.#leader === 0) return false;
          const { stdout } = await machine.run('systemctl is-system-running');
          return /^(?:running|degraded)/.test(stdout);
        },
        bootMs,
      );
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A script for the shell of a user who logs in. */
  async run(
    script: string,
    { as = 'root', input = '' }: { readonly as?: string; readonly input?: string } = {},
  ): Promise<Outcome> {
    const [file = '', ...args] = this.#login(as, script);
    return await runProgram(file, args, { input });
  }

  /** The same; fails when the script does, and answers what it printed. */
  async must(script: string, as = 'root'): Promise<string> {
    const { code, stdout, stderr } = await this.run(script, { as });
    assert.equal(code, 0, `${this.name}, as ${as}:\n${script}\n${stdout}${stderr}`);
    return stdout;
  }

  /** For somebody who sits in front of it. */
  async type(script: string, lines: readonly Line[], as: string): Promise<Screen> {
    // The init code is gone when somebody used it.
    await this.learnSecrets();
    return await runAtTerminal(this.#login(as, script), lines, {});
  }

  /** Where a file lies, as this machine sees it, that came to be there since it was booted. */
  pathOf(file: string): string {
    return join(this.#upper, file);
  }

  /** What lies on it where it belongs. */
  async learnSecrets(): Promise<void> {
    await learnPlaces(this.#upper);
  }

  /** Fails when its files or its journal hold anything secret that this process has used, elsewhere than where it belongs. */
  async searchForLeaks(): Promise<void> {
    // As text, and what was said alone: beside it lie command lines, and a reader of the guide types a secret into one.
    await this.must(
      'journalctl --quiet --all --output cat > /var/log/said && grep -q Started /var/log/said && rm -rf /var/log/journal',
    );
    await searchWritten(this.#upper);
  }

  /** The main process of a unit as this machine sees it. */
  async pidOf(unit: string): Promise<number> {
    const inside = Number(await this.must(`systemctl show --property MainPID --value ${unit}`));
    for (const pid of await processesOf(this.#leader)) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      if (new RegExp(String.raw`^NSpid:.*\t${inside}$`, 'm').test(status)) return pid;
    }
    return 0;
  }

  #login(as: string, script: string): readonly string[] {
    const enter = [
      'nsenter',
      `--target=${this.#leader}`,
      '--mount',
      '--uts',
      '--ipc',
      '--net',
      '--pid',
      '--cgroup',
    ];
    return [...enter, '--', 'su', '--login', as, '--shell=/bin/sh', '--command', script];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#container);
    const own = `/sys/fs/cgroup/${this.#unique}`;
    const script = `mount --make-rprivate /
${mountGroups}
[ -d '${own}' ] && find '${own}' -depth -type d -exec rmdir '{}' +
rm -rf /run/systemd/nspawn/*/'${this.#unique}'`;
    await runProgram('unshare', ['--mount', 'sh', '-c', script]);
  }
}

/** The kernel ends it with this process, however that ends. */
function spawnBound([file = '', ...args]: readonly string[]): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

/** The first process of the container below this one; 0 while there is none. */
async function findFirst(pid: number): Promise<number> {
  for (const child of await processesOf(pid)) {
    const name = await readFile(`/proc/${child}/comm`, 'utf8').catch(() => '');
    if (name.trim() === 'systemd') return child;
  }
  return 0;
}

async function processesOf(pid: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (const child of await childrenOf(pid)) found.push(child, ...(await processesOf(child)));
  return found;
}
