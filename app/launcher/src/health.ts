// An import would read all that the module exports, and one of its exports loads undici: 6 MB, and time at each start.
const { get } = process.getBuiltinModule('node:http');

/** What Nexus says of itself on its health port. */
export interface NexusHealth {
  readonly ready: boolean;
  readonly state: string;
  readonly message: string;
}

const timeoutMs = 2_000;
const maxBytes = 4_096;

/** Asks `/health/ready`; undefined when nobody answers. */
export async function askHealth(healthUrl: string, signal: AbortSignal): Promise<NexusHealth | undefined> {
  try {
    const text = await read(
      `${healthUrl}/health/ready`,
      AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    );
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const [ready, state, message] = ['ready', 'state', 'message'].map((name): unknown =>
      Reflect.get(value, name),
    );
    if (typeof ready !== 'boolean' || typeof state !== 'string') return undefined;
    return { ready, state, message: typeof message === 'string' ? message : '' };
  } catch {
    return undefined;
  }
}

function read(url: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > maxBytes) request.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}
