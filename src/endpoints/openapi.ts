import type { Hono } from 'hono'
import { z } from 'zod'
import { docsPage } from '../docs/docs-page.ts'
import { documentShape, writeDocument } from '../docs/document.ts'
import { style } from '../docs/style.ts'
import type { Env, RequestContext } from '../http/context.ts'
import type { Operation } from '../http/operation.ts'
import type { Parts } from '../parts.ts'

/** It changes with a new version of the service only. */
const CACHE = { 'Cache-Control': 'public, max-age=300' }
const CONTENT_SECURITY_POLICY = [
  `default-src 'none'`,
  `style-src 'self'`,
  `img-src data:`,
  `base-uri 'none'`,
  `form-action 'none'`,
  `frame-ancestors 'none'`,
].join('; ')

const answer = z.looseObject({ openapi: z.literal('3.1.0'), paths: z.looseObject({}) })

export const openapiOperation: Operation = {
  id: 'describeInterface',
  tag: 'Discovery',
  summary: 'This document',
  success: { status: 200, description: 'OpenAPI 3.1.', content: { 'application/json': answer } },
  failures: [],
}

/** GET /openapi.json: what the routes of `app` tell of themselves, for programs. Written once for the isolate. */
export function openapiEndpoint(app: Hono<Env>, { config }: Pick<Parts, 'config'>) {
  let text: string | undefined
  return async (c: RequestContext): Promise<Response> => {
    text ??= JSON.stringify(await writeDocument(app, config))
    return c.body(text, 200, { 'Content-Type': 'application/json', ...CACHE })
  }
}

/** GET /docs: the same for people. */
export function docsEndpoint(app: Hono<Env>, { config }: Pick<Parts, 'config'>) {
  let text: string | undefined
  return async (c: RequestContext): Promise<Response> => {
    text ??= String(await docsPage(documentShape.parse(await writeDocument(app, config))))
    return c.html(text, 200, { 'Content-Security-Policy': CONTENT_SECURITY_POLICY, ...CACHE })
  }
}

/** GET /docs.css */
export function docsStyleEndpoint(c: RequestContext): Response {
  return c.body(style, 200, { 'Content-Type': 'text/css; charset=utf-8', ...CACHE })
}
