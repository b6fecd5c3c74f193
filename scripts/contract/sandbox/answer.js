// The document decides which answers there are. What it does not name is allowed, unless the variable strict is set.
const Ajv = require('ajv');
const strict = variable('strict') !== '';
function found(node) {
  if (!node || !node.$ref) return node;
  return found(node.$ref.slice(2).split('/').reduce((place, key) => place[key], DOCUMENT));
}
function closed(node) {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map(closed);
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
  if (node.properties && !node.components) copy.additionalProperties = false;
  if (node['x-known-values']) copy.enum = node['x-known-values'];
  return copy;
}
function mismatches(declared, kinds) {
  const type = (headers['content-type'] || '').split(';')[0].trim().toLowerCase();
  const known = Object.keys(kinds);
  if (known.length === 0 && body !== '') return ['there is a body'];
  if (body !== '' && !kinds[type]) return [`the content type is ${type || 'missing'}, not ${known}`];
  const { schema } = kinds[type] || kinds[known[0]] || { schema: {} };
  const properties = Object.fromEntries(declared.map(([name, header]) => [name, header.schema]));
  const required = declared.filter(([, header]) => header.required).map(([name]) => name);
  const all = {
    properties: { header: { required, properties }, body: schema },
    components: { schemas: DOCUMENT.components.schemas },
  };
  const own = Object.entries(headers).filter(([name]) => !OF_HTTP.includes(name) || name in properties);
  const answer = { header: Object.fromEntries(own), body: known.length > 0 ? content(schema) : '' };
  const validate = new Ajv({ allErrors: true, strict: false }).compile(strict ? closed(all) : all);
  if (validate(answer)) return [];
  return validate.errors.map(({ dataPath, instancePath, message, params }) => {
    const extra = params.additionalProperty || params.allowedValues;
    return `${instancePath || dataPath} ${message}${extra ? `: ${extra}` : ''}`;
  });
}
function faults() {
  if (!response) return [`not one of ${Object.keys(DOCUMENT.responses).join(', ')}`];
  const declared = Object.entries(response.headers).map(([name, node]) => [name.toLowerCase(), found(node)]);
  try {
    return mismatches(declared, response.content);
  } catch (error) {
    return [error.message];
  }
}
// A header of the connection is nobody's statement about the answer.
const OF_HTTP = ['content-type', 'connection', 'keep-alive', 'transfer-encoding'];
const response = DOCUMENT.responses[status];
test('the document describes the answer', () => {
  const different = faults();
  if (different.length > 0) throw new Error(`${status}: ${different.join('; ')}`);
});
const value = (() => {
  try {
    return content();
  } catch (error) {
    return {};
  }
})();
