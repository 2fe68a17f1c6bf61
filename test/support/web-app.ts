import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** A single-page app of another origin than the service: its pages and its API. */
export interface WebApp {
  readonly url: string
  /** How often the API was called with a token that is not good, and with one that is. */
  readonly apiCalls: { refused: number; accepted: number }
  /** Which service the pages sign in to, and how the API checks a token. */
  use(issuer: string, isGood: (authorization: string) => Promise<boolean>): void
  close(): Promise<void>
}

const libraryFile = fileURLToPath(new URL('../../src/browser/index.ts', import.meta.url))

/** The library as a page gets it: one file, minified. */
export async function bundleLibrary(format: 'esm' | 'iife'): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [libraryFile],
    bundle: true,
    minify: true,
    write: false,
    format,
    globalName: 'latchkey',
    target: 'es2022',
  })
  return outputFiles?.[0]?.text ?? ''
}

/** The page, or one that makes its session twice as React does in development; it shows what is the user's only while somebody is signed in. */
function pageOf(issuer: string, isMountedTwice: boolean): string {
  return `<!doctype html><title>App</title><main></main><script src="/latchkey.js"></script><script>
    var happened = []
    function show() {
      var status = session.status()
      document.querySelector('main').textContent = status.kind === 'signed-in' ? 'the balance is 42' : status.kind
    }
    function start() {
      var made = latchkey.createSession({ issuer: ${JSON.stringify(issuer)}, clientId: 'web' })
      made.subscribe(function (event) { happened.push(event); show() })
      return made
    }
    var session = start()
    if (${isMountedTwice}) {
      session.close()
      session = start()
    }
    show()
  </script>`
}

export async function startWebApp(): Promise<WebApp> {
  const library = await bundleLibrary('iife')
  const apiCalls = { refused: 0, accepted: 0 }
  let issuer = ''
  let isGood = (_authorization: string): Promise<boolean> => Promise.resolve(false)
  const server = createServer((incoming, outgoing) => {
    const answer = (status: number, type: string, body: string) =>
      outgoing.writeHead(status, { 'Content-Type': type }).end(body)
    incoming.resume()
    const { url, headers } = incoming
    if (url === '/' || url === '/twice') answer(200, 'text/html', pageOf(issuer, url === '/twice'))
    else if (url === '/latchkey.js') answer(200, 'text/javascript', library)
    else if (url === '/api')
      void isGood(headers.authorization ?? '').then((good) => {
        apiCalls[good ? 'accepted' : 'refused']++
        return answer(good ? 200 : 401, 'application/json', JSON.stringify({ balance: good ? 42 : null }))
      })
    else answer(200, 'text/html', '<!doctype html><title>Elsewhere</title>')
  })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The app listens on no port')
  return {
    url: `http://localhost:${address.port}`,
    apiCalls,
    use(service, check) {
      issuer = service
      isGood = check
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
