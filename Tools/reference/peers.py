#!/usr/bin/env python3
"""Times the U-Net and the decoder of Stable Diffusion 1.5, with random weights, in OpenVINO, PyTorch or stable-diffusion.cpp.

    pip install -r requirements.txt
    python3 peers.py openvino unet bf16
    python3 peers.py torch vae_decoder fp32 --size 512x768 --runs 9 --threads 4
    python3 peers.py torch unet bf16 --device cuda

A run is one step under guidance (two rows a picture) or one decoded picture; one to warm up is not counted. Prints a line of JSON:
median, min and max in seconds, peak_rss in bytes. Models of OpenVINO and stable-diffusion.cpp are made once and kept in
.build/peers. The latter, sd.cpp for short, has weights in fp16 where bf16 is asked for. On a GPU, which is PyTorch's alone, the
network goes through torch.compile first, which takes minutes, and runs as a CUDA graph.

With --serve, for sd-bench: {"ready": true, "seconds": S} when it is warm, after the first run; then for every line of input one
run and {"seconds": S}; at the end of the input {"peak_rss": BYTES}.
"""
import argparse, json, os, queue, shutil, statistics, subprocess, sys, threading, time, traceback

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(FOLDER, "../../.build/peers")
CONTEXT = 768


def find_tiles():
    """Starts this script again with CPUID's leaves about tiles filled in, where there are tiles: see cpuid_amx.c."""
    library = os.path.join(CACHE, "cpuid_amx.so")
    with open("/proc/cpuinfo") as info:
        if "amx_bf16" not in info.read() or library in os.environ.get("LD_PRELOAD", ""):
            return
    compiler = shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        return
    os.makedirs(CACHE, exist_ok=True)
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", os.path.join(FOLDER, "cpuid_amx.c"), "-o", library], check=True)
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "LD_PRELOAD": library})


def inputs(options):
    random = np.random.default_rng(3)
    normal = lambda *shape: random.standard_normal(shape, dtype=np.float32)
    height, width = (side // 8 for side in options.size)
    if options.component == "vae_decoder":
        return [normal(1, 4, height, width)]
    rows = 2 * options.batch
    return [normal(rows, 4, height, width), np.array(481), normal(rows, 77, CONTEXT)]


def network(component):
    """The architecture of Stable Diffusion 1.5, as a module that returns a tensor."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    class UNet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = UNet2DConditionModel(
                sample_size=64, block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=CONTEXT, attention_head_dim=8,
                down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
                up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3)

        def forward(self, sample, timestep, states):
            return self.net(sample, timestep, encoder_hidden_states=states).sample

    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = AutoencoderKL(
                sample_size=512, block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
                down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4)

        def forward(self, latents):
            return self.net.decode(latents).sample

    torch.manual_seed(0)
    return (UNet() if component == "unet" else Decoder()).eval()


def torch_run(options):
    import torch

    torch.set_num_threads(options.threads)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[options.precision]
    net = network(options.component).to(dtype=dtype, device=options.device, memory_format=torch.channels_last)
    on_gpu = options.device != "cpu"
    if on_gpu:
        net = torch.compile(net, mode=options.compile, fullgraph=True)

    def tensor(values):
        tensor = torch.from_numpy(values)
        tensor = tensor.to(options.device, dtype if tensor.is_floating_point() else tensor.dtype)
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor

    values = [tensor(x) for x in inputs(options)]

    def run():
        with torch.inference_mode():
            net(*values)
        if on_gpu:
            torch.cuda.synchronize()

    for _ in range(2 if on_gpu else 0):  # a graph is recorded in the third run
        run()
    return run


def openvino_run(options):
    import openvino

    folder = converted(f"{options.component}-{options.batch}x{options.size[0]}x{options.size[1]}")
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[options.precision],
                "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": options.threads}
    request = core.compile_model(core.read_model(f"{folder}/model.xml"), "CPU", settings).create_infer_request()
    values = inputs(options)
    return lambda: request.infer(values)


def save_openvino(options, folder):
    import openvino, torch

    values = [torch.from_numpy(x) for x in inputs(options)]
    with torch.no_grad():
        shapes = [list(x.shape) for x in values]
        model = openvino.convert_model(network(options.component), example_input=tuple(values), input=shapes)
    openvino.save_model(model, f"{folder}/model.xml")


class Pauses:
    """Holds a program in the middle of its work until somebody wants to see the next piece of it."""

    def __init__(self):
        self.wanted, self.seconds, self.start = queue.SimpleQueue(), queue.SimpleQueue(), None

    def begin(self):
        """The next piece begins here."""
        if self.start is None:
            self.wanted.get()
        self.start = time.perf_counter()

    def end(self):
        """A piece ends here; when the next one is wanted, that begins at once, or at the next `begin`."""
        self.seconds.put(time.perf_counter() - self.start)
        self.wanted.get()
        self.start = time.perf_counter()

    def run(self):
        self.wanted.put(None)
        return self.seconds.get()


def sdcpp_run(options):
    """stable-diffusion.cpp draws whole pictures only. For its steps it begins one of a thousand, for decoding two of one step
    without guidance, which are decoded at the end; what it reports says where it is."""
    import stable_diffusion_cpp
    from stable_diffusion_cpp import stable_diffusion_cpp as library

    if options.batch > 1:
        sys.exit("stable-diffusion.cpp has one picture in a step")
    model = stable_diffusion_cpp.StableDiffusion(
        model_path=converted("sd.cpp"), wtype={"fp32": "f32", "bf16": "f16"}[options.precision], n_threads=options.threads,
        verbose=False)
    pauses, is_unet = Pauses(), options.component == "unet"

    def progress(step, steps, seconds):
        if is_unet:
            pauses.begin() if pauses.start is None else pauses.end()

    @library.sd_log_callback
    def log(level, text, data):
        sys.stderr.write(text.decode(errors="replace"))
        if not is_unet and b"decoding " in text:
            pauses.begin()
        if not is_unet and b" decoded, taking " in text:
            pauses.end()

    def draw():
        try:
            library.sd_set_log_callback(log, None)
            while True:
                model.generate_image(
                    prompt="x", width=options.size[1], height=options.size[0], sample_method="euler", progress_callback=progress,
                    **(dict(cfg_scale=7.5, sample_steps=1000) if is_unet else dict(cfg_scale=1, sample_steps=1, batch_count=2)))
                if pauses.start is None:
                    raise RuntimeError("stable-diffusion.cpp no longer says what it does")
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    threading.Thread(target=draw, daemon=True).start()
    return pauses.run


def save_sdcpp(options, folder):
    import torch, transformers
    from safetensors.torch import save_file

    network("unet").net.half().save_pretrained(f"{folder}/unet")
    network("vae_decoder").net.half().save_pretrained(f"{folder}/vae")
    config = transformers.CLIPTextConfig(
        vocab_size=49408, hidden_size=CONTEXT, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    weights = transformers.CLIPTextModel(config).half().state_dict()
    os.makedirs(f"{folder}/text_encoder")
    # As checkpoints have them, whatever the installed version calls them.
    names = {name: f"text_model.{name.removeprefix('text_model.')}" for name in weights}
    save_file({names[name]: weights[name].contiguous() for name in weights}, f"{folder}/text_encoder/model.safetensors")


def converted(name):
    """The folder of a model, which is made if it is not there."""
    folder = os.path.join(CACHE, name)
    if not os.path.exists(folder):
        # A process of its own, so that PyTorch's memory is not counted as the peer's.
        code = subprocess.run([sys.executable, *sys.argv, "--convert", folder], stdout=sys.stderr).returncode
        if code:
            sys.exit(code)
    return folder


def convert(options):
    temporary = f"{options.convert}.{os.getpid()}"
    {"openvino": save_openvino, "sd.cpp": save_sdcpp}[options.peer](options, temporary)
    os.rename(temporary, options.convert)


def peak_rss():
    """The largest resident set in bytes. Not getrusage's, which begins with that of the process that started this one."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


def timed(run):
    """The seconds of a run, from outside or as it has measured them itself."""
    start = time.perf_counter()
    seconds = run()
    return seconds if isinstance(seconds, float) else time.perf_counter() - start


def size(text):
    height, width = text.split("x")
    return int(height), int(width)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["openvino", "torch", "sd.cpp"])
    parser.add_argument("component", choices=["unet", "vae_decoder"])
    parser.add_argument("precision", choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--size", type=size, default=(512, 512), metavar="HxW", help="of the picture, in pixels")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="pictures of a step")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu, or cuda:0")
    parser.add_argument("--compile", default="max-autotune", metavar="MODE", help="torch.compile's mode on a GPU")
    parser.add_argument("--context", type=int, default=CONTEXT, help=f"columns of the prompt's states; must be {CONTEXT}")
    parser.add_argument("--serve", action="store_true", help="run whenever a line comes in")
    parser.add_argument("--convert", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.context != CONTEXT:
        sys.exit(f"this is Stable Diffusion 1.5, whose prompts have {CONTEXT} columns, not {options.context}")
    if options.device == "cpu" and options.precision == "fp16":
        sys.exit("fp16 is for GPUs")
    if options.device != "cpu" and options.peer != "torch":
        sys.exit(f"{options.peer} is not run on a GPU")
    if options.convert:
        return convert(options)
    find_tiles()
    # Libraries print what they like; only the protocol may reach standard output.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    say = lambda **answer: print(json.dumps(answer), file=answers)

    run = {"openvino": openvino_run, "torch": torch_run, "sd.cpp": sdcpp_run}[options.peer](options)
    warm_up = timed(run)
    if options.serve:
        say(ready=True, seconds=warm_up)
        for _ in sys.stdin:
            say(seconds=timed(run))
        say(peak_rss=peak_rss())
    else:
        seconds = [timed(run) for _ in range(options.runs)]
        say(peer=options.peer, component=options.component, precision=options.precision, median=statistics.median(seconds),
            min=min(seconds), max=max(seconds), peak_rss=peak_rss())
    # Not through the end of libraries that are in the middle of a picture.
    os._exit(0)


if __name__ == "__main__":
    main()
