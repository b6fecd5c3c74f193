function needed(name) {
  if (!variable(name)) refuse(`set the variable ${name}`);
  return variable(name);
}

// What is checked and signed here is what is sent: an address without a path, and ids of the document's patterns.
const address = /^(https?):\/\/([^\s\/?#@]+)$/.exec(needed('base_url'));
if (!address) refuse('base_url must be http:// or https:// and a host, without a slash at the end');
const host = address[2].toLowerCase().replace(address[1] === 'https' ? /:443$/ : /:80$/, '');
let path = PATH;
for (const [part, name, pattern] of PARTS) {
  if (!new RegExp(pattern).test(needed(name))) refuse(`${name} must match ${pattern}`);
  path = path.replace(part, variable(name));
}
