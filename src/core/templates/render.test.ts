import { expect, test } from 'vitest'
import type { Json } from '../json-patch/json.ts'
import { TEMPLATE_LIMITS } from './model.ts'
import { renderTemplate, type Rendering, type World } from './render.ts'
import { quotingOf } from './writer.ts'

interface Given {
  readonly params?: Readonly<Record<string, Json>>
  readonly node?: Json
  readonly sources?: Readonly<Record<string, string>>
  readonly tokens?: Readonly<Record<string, string>>
  readonly quoting?: 'shell' | 'plain'
}

function rendered(text: string, given: Given = {}): Rendering {
  const { params = {}, node = { name: 'n1' }, sources = {}, tokens = {}, quoting = 'plain' } = given
  const world: World = {
    param: (key) => (Object.hasOwn(params, key) ? params[key] : undefined),
    names: { node, profile: { name: 'web' } },
    secretNames: ['node.values'],
    apiUrl: 'http://hub:8470',
    source: (name) => (name === 'main' ? text : sources[name]),
    token: ({ profile }) => tokens[profile],
  }
  return renderTemplate('main', quoting, world)
}

const text = (template: string, given: Given = {}): string => rendered(template, given).text

test.for<[string, string, Given, string]>([
  ['a param', '{{ param "a" }}', { params: { a: 'x' } }, 'x'],
  ['a number and a truth', '{{ param "a" }} {{ param "b" }}', { params: { a: 1.5, b: false } }, '1.5 false'],
  ['a node fact', '{{ node.name }} {{ profile.name }}', {}, 'n1 web'],
  ['if it exists', '{{ if paramExists "a" }}yes{{ else }}no{{ end }}', { params: { a: null } }, 'yes'],
  ['if it does not exist', '{{ if paramExists "a" }}yes{{ else }}no{{ end }}', {}, 'no'],
  ['else if', '{{ if false }}1{{ else if param "a" == 2 }}2{{ else }}3{{ end }}', { params: { a: 2 } }, '2'],
  ['not', '{{ if not paramExists "a" }}none{{ end }}', {}, 'none'],
  ['unequal objects', '{{ if param "a" != param "b" }}x{{ end }}', { params: { a: { k: 1 }, b: { k: [1] } } }, 'x'],
  [
    'equal objects',
    '{{ if (param "a") == (param "b") }}x{{ end }}',
    { params: { a: { k: 1, l: 2 }, b: { l: 2, k: 1 } } },
    'x',
  ],
  ['default for what is missing', '{{ param "a" | default "none" }}', {}, 'none'],
  ['default for null', '{{ param "a" | default 3 }}', { params: { a: null } }, '3'],
  ['default for a missing member', '{{ node.meta.icon | default "ship" }}', { node: { meta: {} } }, 'ship'],
  ['exists of a member', '{{ exists node.meta }}', {}, 'false'],
  [
    'a loop',
    '{{ for m in param "l" }}{{ m.name }};{{ end }}',
    { params: { l: [{ name: 'a' }, { name: 'b' }] } },
    'a;b;',
  ],
  [
    'a loop with its index',
    '{{ for i, m in param "l" }}{{ i }}={{ m }} {{ end }}',
    { params: { l: ['a', 'b'] } },
    '0=a 1=b ',
  ],
  [
    'a loop over an object',
    '{{ for k, v in param "o" }}{{ k }}={{ v }} {{ end }}',
    { params: { o: { a: 1, b: 2 } } },
    'a=1 b=2 ',
  ],
  ['a loop over nothing', '{{ for m in param "l" }}x{{ else }}none{{ end }}', { params: { l: [] } }, 'none'],
  [
    'a name of a loop hides others',
    '{{ for node in param "l" }}{{ node }}{{ end }}{{ node.name }}',
    { params: { l: ['a'] } },
    'an1',
  ],
  ['include', '[{{ include "part" }}]', { sources: { part: '{{ node.name }}' } }, '[n1]'],
  [
    'include sees the loop',
    '{{ for m in param "l" }}{{ include "part" }}{{ end }}',
    { params: { l: [1, 2] }, sources: { part: '<{{ m }}>' } },
    '<1><2>',
  ],
  [
    'json',
    '{{ param "a" | json }} {{ paramAsJSON "a" }}',
    { params: { a: { k: ['"', 1] } } },
    '{"k":["\\"",1]} {"k":["\\"",1]}',
  ],
  [
    'join, length, get',
    '{{ param "l" | join "," }} {{ param "l" | length }} {{ get (param "l") 1 }}',
    { params: { l: ['a', 'b'] } },
    'a,b 2 b',
  ],
  ['a word of a shell anywhere', '{{ param "a" | shell }}', { params: { a: "it's" } }, String.raw`'it'\''s'`],
  ['trimmed white space', 'a  {{- " " -}}  \n b {{# nothing -}}\n c', {}, 'a b c'],
  ['braces themselves', '{{ "{{" | raw }}x}}', {}, '{{x}}'],
  ['the address of the hub', '{{ apiURL }}', {}, 'http://hub:8470'],
  [
    'a param that holds templates',
    '{{ paramExpand "a" | json }}',
    { params: { a: { url: 'http://{{ node.name }}/{{ param "b" }}', n: 1 }, b: 'x' } },
    '{"url":"http://n1/x","n":1}',
  ],
])('renders %s', ([, template, given, expected]) => {
  expect(text(template, given)).toBe(expected)
})

test.for<[string, string, Given, string, number, number]>([
  ['a missing param', 'a\n  {{ param "my/leader" }}', {}, 'the param "my/leader" has no value', 2, 6],
  ['a missing member', '{{ node.nothing }}', {}, 'node.nothing has no value', 1, 4],
  ['a missing param in a test', '{{ if param "x" }}{{ end }}', {}, 'the param "x" has no value', 1, 7],
  ['an unknown name', '{{ nodes.name }}', {}, '"nodes" stands for nothing here', 1, 4],
  ['an unknown function', '{{ "a" | upper }}', {}, 'behind "|" stands a function, not "upper"', 1, 10],
  ['an object as text', '{{ param "a" }}', { params: { a: {} } }, 'the value is an object', 1, 1],
  ['null as text', '{{ param "a" }}', { params: { a: null } }, 'the value is null', 1, 1],
  [
    'a break of the line',
    '{{ param "a" }}',
    { params: { a: 'x;\ninclude /etc/passwd' } },
    'the value has a line break',
    1,
    1,
  ],
  ['braces left open', 'x {{ param "a"', {}, 'a "{{" has no "}}"', 1, 3],
  ['a block left open', '\n{{ if true }}', {}, '{{ if … }} has no {{ end }}', 2, 1],
  ['an end too many', '{{ end }}', {}, '{{ end }} without its', 1, 1],
  ['two elses', '{{ if true }}{{ else }}{{ else }}{{ end }}', {}, '{{ else }} without', 1, 24],
  ['a word too many', '{{ node.name node.name }}', {}, '"node.name" is one word too many', 1, 14],
  ['too few values', '{{ default }}', {}, 'default takes 2 values, and gets 0', 1, 4],
  ['a string left open', '{{ "abc }}', {}, 'a string does not end on its line', 1, 4],
  ['a missing template', '{{ include "x" }}', {}, 'there is no template "x"', 1, 1],
  ['a loop over a number', '{{ for x in 3 }}{{ end }}', {}, 'a loop goes over a list or an object', 1, 1],
  [
    'params in a circle',
    '{{ paramExpand "a" }}',
    { params: { a: '{{ paramExpand "b" }}', b: '{{ paramExpand "a" }}' } },
    'the params a → b → a lead round in a circle',
    1,
    4,
  ],
  ['a token for years', '{{ generateProfileToken "web" 0 }}', {}, 'a token is for 60 to 86400 seconds', 1, 4],
])('refuses %s, and says where', ([, template, given, message, line, column]) => {
  expect(() => text(template, given)).toThrow(
    expect.objectContaining({
      code: 'TEMPLATE_FAILED',
      message: expect.stringContaining(message) as string,
      details: expect.objectContaining({ line, column }) as object,
    }),
  )
})

test('a fault in an included template is told with the place there', () => {
  const place = expect.objectContaining({ file: 'lib/part.tmpl', line: 2, column: 4 }) as object
  expect(() =>
    text('{{ include "lib/part.tmpl" }}', { sources: { 'lib/part.tmpl': 'x\n{{ param "gone" }}' } }),
  ).toThrow(expect.objectContaining({ details: place }))
})

test.for(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('nothing inherited can be reached: %s', (name) => {
  expect(text(`{{ exists node.${name} }}{{ exists (get (param "l") "${name}") }}`, { params: { l: ['x'] } })).toBe(
    'falsefalse',
  )
  expect(() => text(`{{ ${name} }}`)).toThrow(`"${name}" stands for nothing here`)
  expect(() => text(`{{ "x" | ${name} }}`)).toThrow('stands a function')
  expect(text(`{{ paramExists "${name}" }}`)).toBe('false')
})

test('an own member of such a name is data like any other', () => {
  const data = JSON.parse('{"__proto__": "p", "constructor": "c"}') as Json
  expect(text('{{ node.__proto__ }}{{ node.constructor }}', { node: data })).toBe('pc')
})

test('templates that include themselves, loops in loops, and texts that grow come to an end', () => {
  expect(() => text('{{ include "main" }}')).toThrow('deep in each other')
  const many = Array.from({ length: 1000 }, () => 'x'.repeat(100))
  const loops = '{{ for a in param "l" }}{{ for b in param "l" }}{{ for c in param "l" }}{{ end }}{{ end }}{{ end }}'
  expect(() => text(loops, { params: { l: many } })).toThrow('more than 100000 steps')
  expect(() => text(`{{ for a in param "l" }}${'y'.repeat(10_000)}{{ end }}`, { params: { l: many } })).toThrow(
    `more than ${TEMPLATE_LIMITS.output} characters`,
  )
  expect(() =>
    text('{{ for a in param "l" }}{{ if paramAsJSON "l" == "" }}{{ end }}{{ end }}', { params: { l: many } }),
  ).toThrow('would be worked on')
  expect(() => text('x'.repeat(TEMPLATE_LIMITS.source + 1))).toThrow('is longer than')
  const deep = `${'{{ if true }}'.repeat(30)}${'{{ end }}'.repeat(30)}`
  expect(() => text(deep)).toThrow('blocks stand too deep')
  expect(() => text(`{{ ${'('.repeat(10_000)} }}`)).toThrow('parentheses stand too deep')
  expect(() => text(`{{ ${'not '.repeat(10_000)} true }}`)).toThrow('"not" stands too often')
})

test('a param of a hundred thousand levels ends in an error, not in a stack that overflows', () => {
  let deep: Json = 'x'
  for (let level = 0; level < 100_000; level++) deep = [deep]
  expect(() => text('{{ paramExpand "a" | length }}', { params: { a: deep } })).toThrow('deep in each other')
})

test('what a param holds can make no token and include nothing', () => {
  for (const inside of ['{{ generateProfileToken "web" 600 }}', '{{ include "main" }}']) {
    expect(() => text('{{ paramExpand "a" }}', { params: { a: inside } })).toThrow('the value of a param can')
  }
})

test('a token is asked for first, and then in the text, which is a secret', () => {
  const template = 'T={{ generateProfileToken "web" 600 }} {{ generateProfileToken "web" 600 }}'
  expect(rendered(template)).toMatchObject({ isSecret: true, wants: [{ profile: 'web', ttlSeconds: 600, params: [] }] })
  expect(rendered(template, { tokens: { web: 'flt_x' } })).toMatchObject({
    text: 'T=flt_x flt_x',
    isSecret: true,
    wants: [],
  })
})

test('whoever reads a value of the configuration reads a secret; one that is not read is none', () => {
  const node = { name: 'n1', values: { password: 'p' } }
  expect(rendered('{{ node.name }}', { node }).isSecret).toBe(false)
  for (const template of [
    '{{ node.values.password }}',
    '{{ node | json }}',
    '{{ for k, v in node }}{{ k }}{{ end }}',
  ]) {
    expect(rendered(template, { node }).isSecret).toBe(true)
  }
})

test('a script is known by its name or its first line', () => {
  expect(quotingOf(['a.sh.tmpl'], '')).toBe('shell')
  expect(quotingOf(['a.conf', '/x/run.bash'], '')).toBe('shell')
  expect(quotingOf(['run'], '#!/usr/bin/env bash\n')).toBe('shell')
  expect(quotingOf(['run.py'], '#!/usr/bin/python3\n')).toBe('plain')
  expect(quotingOf(['a.conf'], 'x')).toBe('plain')
})
