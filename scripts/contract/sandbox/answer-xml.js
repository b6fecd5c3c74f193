// CI answers in XML, and accepts without a body: the schema says which element is the root, and what is a list, an object or a number.
const ENTITIES = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
const TOKEN = /<(?:\?[^>]*\?|(\/?)([^\s<>\/]+)[^<>]*?(\/?))>|([^<]+)/g;
function content(schema) {
  if (body === '') throw new Error('there is no body');
  const root = { name: '', text: '', children: [] };
  const open = [root];
  for (const [, end, name, empty, text] of body.matchAll(TOKEN)) {
    const last = open[open.length - 1];
    if (text) last.text += text;
    if (end && last.name !== name) throw new Error(`<${last.name}> ends as <${name}>`);
    if (end) open.pop();
    if (!name || end) continue;
    const element = { name, text: '', children: [] };
    last.children.push(element);
    if (!empty) open.push(element);
  }
  const [element] = root.children;
  const name = ((found(schema) || {}).xml || {}).name;
  if (open.length !== 1 || !element) throw new Error('the body is no XML document');
  if (name && element.name !== name) throw new Error(`the root is <${element.name}>, not <${name}>`);
  return shaped(element, schema);
}
function shaped(element, schema) {
  const { type, properties = {} } = found(schema) || {};
  if (element.children.length === 0 && type !== 'object') {
    const text = element.text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => ENTITIES[name]);
    return ['integer', 'number'].includes(type) ? Number(text) : text;
  }
  const value = {};
  for (const child of element.children) {
    const [name, part] = Object.entries(properties).find(
      ([key, property]) => child.name === ((found(property).xml || {}).name || key),
    ) || [child.name];
    const { type: kind, items } = found(part) || {};
    value[name] = kind === 'array' ? [...(value[name] || []), shaped(child, items)] : shaped(child, part);
  }
  return value;
}
const denied = () => body !== '';
const told = (value) => `${value.Code || ''}: ${value.Message || ''}`;
