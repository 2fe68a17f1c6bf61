/** How the page shows what stands in a body. */
import { html } from 'hono/html'
import type { Schema } from './document.ts'

export type Markup = ReturnType<typeof html>

/** Text in which what stands between backticks is code. */
export function prose(text = ''): Markup {
  return html`${text.split('`').map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : part))}`
}

/** The members of an object, or what else it is. */
export function schemaView(schema: Schema): Markup {
  if (schema.anyOf) return html`${schema.anyOf.map((one, i) => html`${i > 0 && html`<p>or</p>`}${schemaView(one)}`)}`
  if (!schema.properties) return html`<p>${typeName(schema)}</p>`
  const members = Object.entries(schema.properties).map(([name, member]) =>
    memberView(name, member, schema.required?.includes(name) ?? false),
  )
  return html`<ul class="members">
    ${members}
  </ul>`
}

export function memberView(name: string, schema: Schema, required: boolean): Markup {
  const inner = schema.items ?? schema
  return html`<li>
    <code class="name">${name}</code>
    <span class="type">${typeName(schema)}${required ? '' : ', optional'}</span>
    ${schema.description && html`<span>${prose(schema.description)}</span>`} ${inner.properties && schemaView(inner)}
  </li>`
}

function typeName({ $ref, type, const: only, enum: few, items, anyOf, pattern }: Schema): Markup {
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1) ?? ''
    return html`<a href="#${name}">${name}</a>`
  }
  if (only !== undefined) return html`<code>${JSON.stringify(only)}</code>`
  if (few) return html`${few.map((one, i) => html`${i > 0 && ' or '}<code>${one}</code>`)}`
  if (anyOf) return html`${anyOf.map((one, i) => html`${i > 0 && ' or '}${typeName(one)}`)}`
  if (items) return html`array of ${typeName(items)}`
  return html`${type ?? 'anything'}${pattern && html` as in <code>${pattern}</code>`}`
}
