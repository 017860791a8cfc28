#!/usr/bin/env python3
"""Runs the schedulers of Hugging Face diffusers on a toy model and stores timesteps and final samples.

    pip install torch diffusers scipy
    python3 schedulers.py ../../Tests/DiffusionModelsTests/Fixtures/schedulers

Writes `configurations.json` (scheduler configurations by name), `alphas.json` (the bits of some tables of alphas_cumprod in
float32, every 37th value) and a file per scheduler with its cases. The toy
model is tanh(W x + 0.001 t) on 16 numbers with W[i][j] = 0.1 sin(1 + 7 i + 3 j). Noise is torch's in float32, seed 32:
first the initial noise, then what the scheduler draws. Samples are float64; `rounding` says how far (NMSE) the reference
itself is from that when it runs in float32, which at large sigmas is much.
"""
import json, math, os, sys, warnings
import diffusers, numpy as np, torch

warnings.filterwarnings("ignore")
diffusers.utils.logging.set_verbosity_error()

SCHEDULERS = {
    "pndm": ("PNDMScheduler", {}), "ddim": ("DDIMScheduler", {}), "lms": ("LMSDiscreteScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}), "euler-a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}), "dpm++2m": ("DPMSolverMultistepScheduler", {}),
    "dpm++2m-karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "unipc": ("UniPCMultistepScheduler", {}), "lcm": ("LCMScheduler", {}),
}
DPM, SIGMA = ["dpm++2m", "dpm++2m-karras"], ["lms", "euler", "euler-a", "heun"]
SPREAD = ["lms", "euler", "heun", "dpm++2m", "unipc"]
SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, clip_sample=False)
SD15 = dict(_class_name="PNDMScheduler", set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, trained_betas=None, **SD)
SD21 = dict(_class_name="DDIMScheduler", set_alpha_to_one=False, steps_offset=1, trained_betas=None, **SD)
SDXL = dict(_class_name="EulerDiscreteScheduler", interpolation_type="linear", sample_max_value=1.0, set_alpha_to_one=False,
            skip_prk_steps=True, steps_offset=1, timestep_spacing="leading", trained_betas=None, use_karras_sigmas=False, **SD)
PREDICTIONS, STEPS = ["epsilon", "v_prediction", "sample"], [1, 2, 3, 5, 10, 20, 50]

# name: (configuration, schedulers, prediction types, steps)
VARIANTS = {
    "sd15": (SD15, None, PREDICTIONS, STEPS),
    "sd21": (SD21, None, PREDICTIONS, STEPS),
    "sdxl": (SDXL, None, PREDICTIONS, STEPS),
    "zero-snr": ({**SD21, "timestep_spacing": "trailing", "rescale_betas_zero_snr": True}, None, PREDICTIONS[1:], STEPS),
    "trailing": ({**SD15, "timestep_spacing": "trailing"}, None, ["epsilon"], STEPS + [7, 48]),
    "karras": ({**SDXL, "use_karras_sigmas": True, "timestep_spacing": "linspace"}, SPREAD, PREDICTIONS, STEPS),
    "bare": (dict(_class_name="DDIMScheduler"), None, ["epsilon"], [10]),
    "long": ({**SD15, "skip_prk_steps": False}, None, ["epsilon"], [150]),
    "cosine": (dict(_class_name="DDIMScheduler", beta_schedule="squaredcos_cap_v2", clip_sample=False), None, ["epsilon", "v_prediction"], [10, 20]),
    "trained": ({**SD15, "num_train_timesteps": 40, "trained_betas": [round(0.002 + 0.003 * i, 6) for i in range(40)]}, None, ["epsilon"], [5, 10]),
    "defaults": ({**SDXL, "_use_default_values": ["timestep_spacing", "steps_offset"]}, None, ["epsilon"], [5]),
    "alpha-one": ({**SD15, "set_alpha_to_one": True}, ["pndm", "ddim", "lcm"], PREDICTIONS[:2], [5, 20]),
    "clip": ({**SD15, "clip_sample": True, "clip_sample_range": 0.8}, ["ddim", "heun", "lcm"], PREDICTIONS, [5, 20]),
    "threshold": ({**SD15, "thresholding": True, "dynamic_thresholding_ratio": 0.9, "sample_max_value": 1.5}, ["ddim", *DPM, "unipc", "lcm"], PREDICTIONS, [5, 20]),
    "exponential": ({**SD15, "use_exponential_sigmas": True}, SPREAD, ["epsilon"], [1, 5, 20]),
    "beta": ({**SD15, "use_beta_sigmas": True}, SPREAD, ["epsilon"], [1, 5, 20]),
    "lu": ({**SD15, "use_lu_lambdas": True}, ["dpm++2m"], ["epsilon"], [5, 20]),
    "sigma-range": ({**SDXL, "use_karras_sigmas": True, "sigma_min": 0.1, "sigma_max": 10.0}, SPREAD, ["epsilon"], [5, 20]),
    "sigma-min": ({**SD15, "final_sigmas_type": "sigma_min"}, ["euler", *DPM, "unipc"], PREDICTIONS, [5, 20]),
    "log-linear": ({**SDXL, "interpolation_type": "log_linear"}, ["euler"], ["epsilon"], [5, 20]),
    "continuous": ({**SDXL, "timestep_type": "continuous"}, ["euler"], ["epsilon", "v_prediction"], [5, 20]),
    "order-1": ({**SD15, "solver_order": 1}, [*DPM, "unipc"], ["epsilon"], [5, 20]),
    "order-3": ({**SD15, "solver_order": 3}, [*DPM, "unipc"], PREDICTIONS, [5, 10, 20]),
    "order-3-full": ({**SD15, "solver_order": 3, "lower_order_final": False, "final_sigmas_type": "sigma_min"}, [*DPM, "unipc"], ["epsilon"], [5, 20]),
    "heun": ({**SD15, "solver_type": "heun"}, [*DPM, "unipc"], ["epsilon"], [5, 20]),
    "bh1": ({**SD15, "solver_type": "bh1", "final_sigmas_type": "sigma_min"}, ["dpm++2m", "unipc"], ["epsilon"], [5, 20]),
    "euler-at-final": ({**SD15, "euler_at_final": True, "final_sigmas_type": "sigma_min"}, DPM, ["epsilon"], [5, 20]),
    "full-order": ({**SD15, "lower_order_final": False}, DPM, ["epsilon"], [5, 20]),
    "uncorrected": ({**SD15, "disable_corrector": [0, 2]}, ["unipc"], ["epsilon"], [5, 20]),
    "sde-1": ({**SD15, "algorithm_type": "sde-dpmsolver++", "solver_order": 1}, DPM, ["epsilon"], [5, 20]),
    "sde-2": ({**SD15, "algorithm_type": "sde-dpmsolver++"}, DPM, PREDICTIONS, [5, 20]),
    "sde-heun": ({**SD15, "algorithm_type": "sde-dpmsolver++", "solver_type": "heun"}, DPM, ["epsilon"], [5, 20]),
    "sde-3": ({**SD15, "algorithm_type": "sde-dpmsolver++", "solver_order": 3}, DPM, ["epsilon"], [5, 20]),
    "lambda": (dict(_class_name="DPMSolverMultistepScheduler", beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1), DPM, ["epsilon"], [5, 20]),
    "distilled": (dict(_class_name="LCMScheduler", original_inference_steps=20, timestep_scaling=5.0, **SD), ["lcm"], PREDICTIONS, [1, 4, 7]),
}
W = np.array([[0.1 * math.sin(1 + 7 * i + 3 * j) for j in range(16)] for i in range(16)])


def run(scheduler, steps, dtype):
    module = sys.modules[type(scheduler).__module__]
    if hasattr(module, "randn_tensor"):
        module.randn_tensor = lambda shape, generator, device, dtype: torch.randn(shape, generator=generator).to(dtype)
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)  # else a first timestep that occurs twice is skipped, and the run overruns
    generator = torch.Generator().manual_seed(32)
    x = (torch.randn(1, 1, 4, 4, generator=generator) * scheduler.init_noise_sigma).to(dtype)
    extra = {"generator": generator} if "generator" in scheduler.step.__code__.co_varnames else {}
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, t).double().numpy().ravel()
        output = torch.tensor(np.tanh(W @ scaled + 0.001 * float(t)), dtype=dtype).reshape(1, 1, 4, 4)
        x = scheduler.step(output, t, x, **extra, return_dict=False)[0]
        assert x.dtype == dtype
    return x.double().numpy().ravel()


def number(x):
    return float(f"{float(x):.9g}")


def main(folder):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/configurations.json", "w") as file:
        json.dump({name: variant[0] for name, variant in VARIANTS.items()}, file, separators=(",", ":"))
    tables = {}
    for name in ("sd15", "bare", "cosine", "trained"):
        alphas = diffusers.DDIMScheduler.from_config(VARIANTS[name][0]).alphas_cumprod
        tables[name] = alphas.numpy().view(np.uint32)[::37].tolist()
    with open(f"{folder}/alphas.json", "w") as file:
        json.dump(tables, file, separators=(",", ":"))
    for name, (class_name, extra) in SCHEDULERS.items():
        cases, refused = [], []
        for variant, (configuration, schedulers, predictions, all_steps) in VARIANTS.items():
            if schedulers is not None and name not in schedulers:
                continue
            for prediction in predictions:
                given = {**configuration, "prediction_type": prediction}
                base = getattr(diffusers, configuration["_class_name"]).from_config(given)
                for steps in all_steps:
                    scheduler = getattr(diffusers, class_name).from_config(base.config, **extra)
                    try:
                        sample = run(scheduler, steps, torch.float64)
                        single = run(scheduler, steps, torch.float32)
                        assert np.isfinite(sample).all(), "not finite"
                    except Exception as error:
                        refused.append(f"{variant} {prediction} {steps}: {type(error).__name__} {str(error)[:60]}")
                        continue
                    rounding = ((single - sample) ** 2).sum() / (sample ** 2).sum()
                    cases.append(dict(
                        configuration=variant, prediction=prediction, steps=steps, rounding=float(f"{rounding:.1e}"),
                        init=number(scheduler.init_noise_sigma), timesteps=[number(t) for t in scheduler.timesteps],
                        sample=[number(v) for v in sample]))
        with open(f"{folder}/{name}.json", "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
        print(name, len(cases), "cases, refused by the reference:", len(refused))
        for line in refused:
            print("   ", line)


if __name__ == "__main__":
    main(sys.argv[1])
