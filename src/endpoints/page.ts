import { z } from 'zod'
import type { RequestContext } from '../http/context.ts'
import { problem } from '../http/problem.ts'
import type { Parts } from '../parts.ts'

/** Static files, in the shape of wrangler's assets binding. */
export interface Assets {
  readonly fetch: (address: string) => Promise<Response>
}

interface PageFile {
  readonly path: string
  /** What it is called among the assets. */
  readonly asset: string
  readonly type: string
}

/** The files of the page: nothing else of the assets is served. */
export const PAGE_FILES: readonly PageFile[] = [
  { path: '/', asset: '/index.html', type: 'text/html; charset=utf-8' },
  { path: '/page.js', asset: '/page.js', type: 'text/javascript; charset=utf-8' },
  { path: '/page.css', asset: '/page.css', type: 'text/css; charset=utf-8' },
  { path: '/page.svg', asset: '/page.svg', type: 'image/svg+xml' },
]

/** Everything comes from this origin and goes to it, and nothing that is written into the document runs. CSP Level 3. */
const CONTENT_SECURITY_POLICY = [
  `default-src 'none'`,
  `script-src 'self'`,
  `style-src 'self'`,
  `connect-src 'self'`,
  `img-src 'self' data:`,
  `base-uri 'none'`,
  `form-action 'none'`,
  `frame-ancestors 'none'`,
  `require-trusted-types-for 'script'`,
].join('; ')

const binding = z.object({ ASSETS: z.custom<Assets>((value) => typeof Object(value).fetch === 'function') })

/** The binding that `[assets]` of wrangler.toml makes, if it is turned on. */
export function readAssets(env: unknown): Assets | undefined {
  return binding.safeParse(env).data?.ASSETS
}

/** GET / and the files it needs: the page for trying the service in a browser. Without assets it is not there. */
export function pageEndpoint({ assets }: Pick<Parts, 'assets'>, { asset, type }: PageFile) {
  return async (c: RequestContext): Promise<Response> => {
    const file = await assets?.fetch(new URL(asset, c.req.url).href)
    if (!file?.ok) return problem(c, { reason: 'not_found' })
    const etag = file.headers.get('ETag')
    return c.newResponse(file.body, 200, {
      'Content-Type': type,
      'Cache-Control': 'no-cache',
      'Content-Security-Policy': CONTENT_SECURITY_POLICY,
      ...(etag && { ETag: etag }),
    })
  }
}
