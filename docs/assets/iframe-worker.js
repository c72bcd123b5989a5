// Browsers refuse workers to pages that are opened from the disk. There, the worker of the search runs in a hidden
// frame. The theme looks for the name IFrameWorker.
window.IFrameWorker = class extends EventTarget {
  constructor(url) {
    super();
    this.frame = document.createElement('iframe');
    this.frame.hidden = true;
    document.body.append(this.frame);
    const inside = this.frame.contentWindow;
    this.receive = event => {
      if (event.source === inside) this.dispatchEvent(new MessageEvent('message', {data: event.data}));
    };
    addEventListener('message', this.receive);
    this.ready = new Promise(resolve => { this.frame.onload = resolve; });
    inside.document.open();
    inside.document.write(
      '<!doctype html><title>search</title><body><script>postMessage = data => parent.postMessage(data, "*")</' +
      `script><script src="${url}"></` + 'script>');
    inside.document.close();
  }

  postMessage(data) {
    this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent('message', {data})));
  }

  terminate() {
    removeEventListener('message', this.receive);
    this.frame.remove();
  }
};
if (location.protocol === 'file:') window.Worker = window.IFrameWorker;
