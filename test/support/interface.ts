/** The document at `/openapi.json`, and whether an answer is as it says. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { z } from 'zod'

const schema = z.record(z.string(), z.unknown())
const content = z.record(
  z.string(),
  z.object({ schema, examples: z.record(z.string(), z.object({ value: z.unknown() })).default({}) }),
)
const answer = z.object({
  description: z.string().min(1),
  headers: z.record(z.string(), z.object({ $ref: z.string().optional(), required: z.boolean().default(true) })),
  content: content.optional(),
})
const operation = z.object({
  operationId: z.string(),
  summary: z.string(),
  tags: z.array(z.string()).length(1),
  parameters: z.array(
    z.object({ in: z.enum(['path', 'query', 'header']), name: z.string(), required: z.boolean(), schema }),
  ),
  security: z.array(z.record(z.string(), z.array(z.string()))).default([]),
  requestBody: z.object({ required: z.boolean(), content }).optional(),
  responses: z.record(z.string(), answer),
})
const shape = z.object({ paths: z.record(z.string(), z.record(z.string(), operation)) })

export interface DescribedOperation extends z.infer<typeof operation> {
  readonly path: string
  readonly method: string
}

export interface Interface {
  readonly operations: readonly DescribedOperation[]
  /** What of an answer is not as its operation says; empty if all of it is. */
  flawsOf(operation: DescribedOperation, answer: Response): Promise<string[]>
  /** What is wrong with a value by a schema of the document, named by its JSON pointer. */
  flawsOfValue(pointer: string, value: unknown): string[]
}

/** @param document what is served, parsed */
export function readInterface(document: unknown): Interface {
  const { paths } = shape.parse(document)
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => Object.assign(described, { path, method })),
  )
  const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { 'date-time': true } })
  ajv.addSchema(schema.parse(closed(document)), 'document')

  function flawsOfValue(pointer: string, value: unknown): string[] {
    // Nothing but what is described: a member that nobody wrote down is a flaw of the document.
    const check = ajv.compile({ $ref: `document#${pointer}`, unevaluatedProperties: false })
    if (check(value)) return []
    return (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
  }

  return {
    operations,
    flawsOfValue,
    async flawsOf({ path, method, responses }, given) {
      const described = responses[given.status]
      if (!described) return [`status ${given.status} is not described: ${await given.text()}`]
      const missing = Object.entries(described.headers)
        .filter(([name, { required }]) => required && !given.headers.has(name))
        .map(([name]) => `header ${name} is missing`)
      const media = given.headers.get('Content-Type')?.split(';')[0] ?? ''
      if (media === 'text/event-stream' && described.content?.[media]) {
        await given.body?.cancel()
        return missing
      }
      const text = await given.text()
      if (!described.content) return text === '' ? missing : [...missing, `an unexpected body: ${text}`]
      if (!described.content[media]) return [...missing, `media type ${media} is not described`]
      const pointer = ['', 'paths', path, method, 'responses', String(given.status), 'content', media, 'schema']
      return [...missing, ...flawsOfValue(pointer.map(escapePointer).join('/'), JSON.parse(text))]
    },
  }
}

/** RFC 6901 section 3, in the fragment of a URI. */
export function escapePointer(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))
}

/** The document with every object that is an item or a member closed to members that it does not describe. */
function closed(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => closed(one))
  if (typeof value !== 'object' || value === null) return value
  const inside = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, closed(one, name)]))
  const isItem = key === 'items' && 'properties' in value && !('additionalProperties' in value)
  return isItem ? { ...inside, additionalProperties: false } : inside
}
