/** One peer as a process: started with the address of a Redis, and ended with the process that started it. */
import type { Server } from 'node:http'
import { once } from 'node:events'

/** Starts the peer on `port`; it must not listen itself. */
export type Peer = (settings: { redisUrl: string; url: string }) => Promise<Server> | Server

export function serve(peer: Peer): void {
  // Ctrl-C reaches every process of the terminal: the parent decides.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
  process.once('disconnect', () => process.exit(0))
  process.once('message', ({ settings }: { settings: { redisUrl: string; port: number } }) => {
    start(settings)
      .then((url) => process.send?.({ ready: { url } }))
      .catch((error: unknown) => process.send?.({ failed: String(error) }, () => process.exit(1)))
  })

  async function start({ redisUrl, port }: { redisUrl: string; port: number }): Promise<string> {
    const url = `http://127.0.0.1:${port}`
    const server = await peer({ redisUrl, url })
    server.keepAliveTimeout = 600_000
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return url
  }
}
