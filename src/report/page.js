// Adds to a page that reads without it: sliders in place of rows of drawings, and values under the pointer.
(() => {
  'use strict';
  for (const panels of document.querySelectorAll('.panels[data-sliders]')) {
    const axes = JSON.parse(panels.dataset.sliders);
    const frames = [...panels.children];
    const group = document.createElement('div');
    group.className = 'sliders';
    const inputs = axes.map(([name, values]) => {
      const label = document.createElement('label');
      const input = document.createElement('input');
      const output = document.createElement('output');
      Object.assign(input, {type: 'range', min: 0, max: values.length - 1, step: 1});
      input.value = Math.floor(values.length / 2);
      input.addEventListener('input', show);
      label.append(name + ' ', input, output);
      group.append(label);
      return input;
    });
    function show() {
      let at = 0;
      inputs.forEach((input, i) => {
        const [name, values] = axes[i];
        at = at * values.length + Number(input.value);
        input.nextElementSibling.value = values[input.value];
        input.setAttribute('aria-valuetext', name + ' ' + values[input.value]);
      });
      frames.forEach((frame, i) => { frame.style.display = i === at ? '' : 'none'; });
    }
    panels.classList.add('one');
    panels.before(group);
    show();
  }

  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.setAttribute('aria-hidden', 'true');
  document.body.append(tip);
  const value = (axis, share) => {
    const [low, high, log] = axis.split(' ').map(Number);
    const x = low + share * (high - low);
    const y = log ? 10 ** x : x;
    return String(Number(y.toPrecision(3))).replace('-', '\u2212');
  };
  document.addEventListener('pointermove', event => {
    const svg = event.target.closest && event.target.closest('svg[data-x]');
    const area = svg && svg.querySelector('svg');
    tip.style.display = 'none';
    if (!area) return;
    const box = area.getBoundingClientRect();
    // Of what leaves the axes the box is larger than they are.
    const scale = svg.getScreenCTM();
    const [left, top] = [scale.e + scale.a * area.x.baseVal.value, scale.f + scale.d * area.y.baseVal.value];
    const across = (event.clientX - left) / (scale.a * area.width.baseVal.value);
    const down = (event.clientY - top) / (scale.d * area.height.baseVal.value);
    if (!box.width || across < 0 || across > 1 || down < 0 || down > 1) return;
    const parts = [];
    if (svg.dataset.x) parts.push(value(svg.dataset.x, across));
    if (svg.dataset.y) parts.push(value(svg.dataset.y, 1 - down));
    tip.textContent = parts.length > 1 ? '(' + parts.join(', ') + ')' : parts[0];
    tip.style.display = 'block';
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 4) + 'px';
    tip.style.top = Math.max(event.clientY - 30, 4) + 'px';
  });
})();
