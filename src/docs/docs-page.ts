/** The interface as a page for people, written from its document. There is no script on it. */
import { html } from 'hono/html'
import type { Content, DescribedOperation, InterfaceDocument } from './document.ts'
import { memberView, prose, schemaView, type Markup } from './schema-view.ts'

interface Place {
  readonly path: string
  readonly method: string
  readonly operation: DescribedOperation
}

export function docsPage({ info, tags, paths, components }: InterfaceDocument): Markup {
  const places = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Place => ({ path, method, operation })),
  )
  const byTag = tags.map(({ name }) => [name, places.filter(({ operation }) => operation.tags[0] === name)] as const)
  const { securitySchemes, schemas } = components
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${info.title}: the interface</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/docs.css" />
      </head>
      <body>
        <a class="skip" href="#main">Skip to the calls</a>
        <header>
          <h1>${info.title}: the interface</h1>
          <p>${prose(info.description)}</p>
          <p>Version ${info.version}. For programs: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
        </header>
        <nav aria-label="Calls">${byTag.map(([tag, same]) => contents(tag, same))}</nav>
        <main id="main" tabindex="-1">
          ${byTag.map(
            ([tag, same]) =>
              html`<h2>${tag}</h2>
                ${same.map((place) => callView(place))}`,
          )}
          <h2>Authentication</h2>
          <dl>
            ${Object.entries(securitySchemes).map(
              ([name, { description }]) =>
                html`<dt id="${name}"><code>${name}</code></dt>
                  <dd>${prose(description)}</dd>`,
            )}
          </dl>
          <h2>Bodies</h2>
          ${Object.entries(schemas).map(
            ([name, schema]) =>
              html`<article id="${name}">
                <h3>${name}</h3>
                <p>${prose(schema.description)}</p>
                ${schemaView(schema)}
              </article>`,
          )}
        </main>
      </body>
    </html>`
}

function contents(tag: string, places: readonly Place[]): Markup {
  return html`<p>${tag}</p>
    <ul>
      ${places.map(
        ({ path, method, operation }) => html`<li><a href="#${anchor(path, method)}">${operation.summary}</a></li>`,
      )}
    </ul>`
}

function anchor(path: string, method: string): string {
  return `${method}${path.replaceAll(/\W+/g, '-')}`
}

function callView({ path, method, operation }: Place): Markup {
  const { summary, description, security, parameters, requestBody, responses } = operation
  const [[status, success] = [], ...refusals] = Object.entries(responses)
  return html`<article id="${anchor(path, method)}">
    <h3>${summary}</h3>
    <p class="address"><code>${method.toUpperCase()} ${path}</code></p>
    ${description && html`<p>${prose(description)}</p>`}
    ${security.length > 0 && html`<p>Authentication: ${security.map((way, i) => schemeLink(way, i))}.</p>`}
    ${
      parameters.length > 0 &&
      html`<h4>Parameters</h4>
        <ul class="members">
          ${parameters.map(parameterView)}
        </ul>`
    }
    ${
      requestBody &&
      html`<h4>Body${!requestBody.required && ', optional'}</h4>
        ${contentView(requestBody.content)}`
    }
    <h4>Success</h4>
    ${
      success &&
      html`<p><code>${status}</code> ${prose(success.description)}</p>
        ${successView(success)}`
    }
    <h4>Refusals</h4>
    <table>
      <thead>
        <tr>
          <th scope="col">Status</th>
          <th scope="col">Code</th>
          <th scope="col">Meaning</th>
        </tr>
      </thead>
      <tbody>
        ${refusals.map(([refused, { content }]) => refusalRows(refused, content))}
      </tbody>
    </table>
  </article>`
}

function schemeLink(way: Readonly<Record<string, unknown>>, at: number): Markup {
  const [name] = Object.keys(way)
  return html`${at > 0 && ', or '}${name === undefined ? 'none' : html`<a href="#${name}">${name}</a>`}`
}

function parameterView({ in: place, name, description, required, schema }: DescribedOperation['parameters'][number]) {
  return memberView(name, { ...schema, description: `In the ${place}. ${description}` }, required)
}

function successView({ headers, content }: DescribedOperation['responses'][string]): Markup {
  const own = Object.entries(headers).filter(([, { description }]) => description !== undefined)
  const members = own.map(([name, { description }]) => memberView(name, { type: 'header', description }, true))
  return html`${
    own.length > 0 &&
    html`<ul class="members">
      ${members}
    </ul>`
  }${contentView(content)}`
}

function contentView(content: Content): Markup {
  const bodies = Object.entries(content).map(
    ([media, { schema }]) =>
      html`<p><code>${media}</code></p>
        ${schemaView(schema)}`,
  )
  return html`${bodies}`
}

/** A refusal's words for people are those of its example. */
function refusalRows(status: string, content: Content): Markup {
  const [body] = Object.values(content)
  return html`${Object.values(body?.examples ?? {}).map(
    ({ value }) =>
      html`<tr>
        <td>${status}</td>
        <td><code>${breakable(String(value['code'] ?? value['error']))}</code></td>
        <td>${value['title'] ?? value['error_description']}</td>
      </tr>`,
  )}`
}

/** A code that may go on in the next line after each underscore: a phone is narrow. */
function breakable(code: string): Markup {
  return html`${code.split('_').map((word, i) => html`${i > 0 && html`_<wbr />`}${word}`)}`
}
