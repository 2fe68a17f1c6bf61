/** A Worker's bundle running in workerd, the runtime of Cloudflare Workers, as one process on the loopback interface. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { unstable_readConfig } from 'wrangler'
import { z } from 'zod'
import { projectRoot } from './project.ts'
import type { WorkerBundle } from './worker-bundle.ts'
import type { ListeningProcess } from './listening-process.ts'

export interface StartWorkerdOptions {
  readonly bundle: WorkerBundle
  /** Variables and secrets, by name. */
  readonly env: Readonly<Record<string, string>>
  /** A free one by default. */
  readonly port?: number
  /** Opens workerd's inspector, on a free port: for profilers. */
  readonly inspect?: boolean | undefined
  /** The folder of the page, as an absolute path. Without it there is no page. */
  readonly page?: string | undefined
  /** Gets each line that the Worker logs or workerd prints. */
  readonly onLine: (line: string) => void
}

/** Where the package keeps its binary: it has no types and no entry of the ES kind. */
const { default: workerdFile } = z.object({ default: z.string() }).parse(createRequire(import.meta.url)('workerd'))

/** workerd's own message, on its control stream, that a socket accepts connections. */
const listenMessage = z.object({ event: z.enum(['listen', 'listen-inspector']), port: z.number() })

export interface WorkerdProcess extends ListeningProcess {
  /** The inspector's, where it was asked for. */
  readonly inspector?: string
}

/** @throws if workerd ends before it listens; the message ends with what it printed. */
export async function startWorkerd({
  bundle,
  env,
  port = 0,
  page,
  inspect = false,
  onLine,
}: StartWorkerdOptions): Promise<WorkerdProcess> {
  const configFile = join(bundle.folder, `workerd-${randomUUID()}.capnp`)
  await writeFile(configFile, describeWorker(bundle, { names: Object.keys(env), port, page }))
  const child = spawn(
    workerdFile,
    ['serve', '--control-fd=3', ...(inspect ? ['--inspector-addr=127.0.0.1:0'] : []), configFile],
    {
      // Values reach workerd by its environment: none of them is ever written to a file.
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    },
  )
  const printed: string[] = []
  for (const stream of [child.stdout, child.stderr].filter((one) => one !== null))
    createInterface({ input: stream }).on('line', (line) => {
      if (printed.push(line) > 20) printed.shift()
      onLine(line)
    })
  const exited = once(child, 'exit').then(() => undefined)
  const { port: listening, inspectorPort } = await Promise.race([
    readListen(child),
    exited.then(() => Promise.reject(new Error(`workerd did not start:\n${printed.join('\n')}`))),
  ]).finally(() => rm(configFile))
  const endBy = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await exited
  }
  return {
    url: `http://127.0.0.1:${listening}`,
    port: listening,
    ...(inspectorPort !== undefined && { inspector: `http://127.0.0.1:${inspectorPort}` }),
    pid: child.pid ?? 0,
    exited,
    kill: () => endBy('SIGKILL'),
    stop: () => endBy('SIGTERM'),
  }
}

async function readListen(child: ChildProcess): Promise<{ port: number; inspectorPort?: number | undefined }> {
  const control = child.stdio[3]
  if (!(control instanceof Readable)) throw new Error('workerd has no control stream')
  let inspectorPort: number | undefined
  for await (const line of createInterface({ input: control })) {
    const { data: message } = listenMessage.safeParse(JSON.parse(line))
    if (message?.event === 'listen') return { port: message.port, inspectorPort }
    // It is told of first.
    if (message) inspectorPort = message.port
  }
  throw new Error('workerd closed its control stream')
}

/** A configuration for `workerd serve`, in Cap'n Proto's text form, whose strings are those of JSON. */
function describeWorker(
  { modules }: WorkerBundle,
  {
    names,
    port,
    page,
  }: { readonly names: readonly string[]; readonly port: number; readonly page?: string | undefined },
): string {
  const { compatibility_date } = unstable_readConfig({ config: join(projectRoot, 'wrangler.toml') })
  const text = JSON.stringify
  const kinds: Record<string, string> = { js: 'esModule', lua: 'text', txt: 'text', wasm: 'wasm' }
  const kindOf = (name: string) => kinds[name.split('.').at(-1) ?? '']
  const variables = names.map((name) => `(name = ${text(name)}, fromEnvironment = ${text(name)})`)
  // Under the name that wrangler's `[assets]` gives it.
  const bindings = page === undefined ? variables : [...variables, '(name = "ASSETS", service = "page")']
  const pageService = page === undefined ? '' : `(name = "page", disk = (path = ${text(page)})),`
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "outside", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
    ${pageService}
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [${modules.map((name) => `(name = ${text(name)}, ${kindOf(name)} = embed ${text(name)})`).join(', ')}],
  bindings = [${bindings.join(', ')}],
  compatibilityDate = ${text(compatibility_date)},
  globalOutbound = "outside",
);
`
}
